import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { $ } from 'zx';
import { pipe, run } from '../../../images/base/command.ts';
import { type DownloadedPackage, downloadPackages } from '../../../images/base/packages.ts';
import { contentHash } from '../../../images/content-hash.ts';
import { acquireLock } from '../../../scripts/setup/lock.mjs';
import { archiveFolder, installBare, installEngine, recipe } from './recipe.ts';

const repository = 'conversation-kit/second-box';
const workspaces = join(import.meta.dirname, '../../../.kit/images');
const quiet = $({ quiet: true });
const label = 'conversation-kit.image=second-box';

/**
 * Makes, where the engine does not have them yet, the images of a bare box and of one with a Docker engine, out of this
 * machine's package archives, and returns the reference of the one asked for. Takes some minutes once.
 */
export async function secondBoxImage(kind: 'bare' | 'engine'): Promise<string> {
  const tag = contentHash([['recipe', JSON.stringify([recipe, archiveFolder, installBare, installEngine])]]);
  const bare = `${repository}:${tag}-bare`;
  const engine = `${repository}:${tag}-engine`;
  const wanted = { bare, engine }[kind];
  if (await exists(wanted)) return wanted;
  await mkdir(workspaces, { recursive: true });
  const { release } = await acquireLock(join(workspaces, 'second-box.lock'), {
    command: 'a test on a second box',
    onWait: () => undefined,
    signal: AbortSignal.timeout(20 * 60_000),
  });
  try {
    if (!(await exists(bare))) await makeBare(bare);
    if (kind === 'engine' && !(await exists(engine))) await makeEngine(bare, engine);
  } finally {
    release();
  }
  return wanted;
}

async function exists(reference: string): Promise<boolean> {
  return (await quiet({ nothrow: true })`docker image inspect --format {{.Id}} ${reference}`).exitCode === 0;
}

async function makeBare(reference: string): Promise<void> {
  const { signal } = new AbortController();
  const workspace = await mkdtemp(join(workspaces, 'second-box-'));
  const builder = `${reference}-builder`;
  try {
    const wanted = { packages: ['?essential', ...recipe.bare, ...recipe.archive], without: [] };
    const packages = await downloadPackages(workspace, wanted, { signal, say: () => undefined });
    const root = join(workspace, 'root');
    const archive = join(workspace, 'packages');
    await writeFile(join(archive, 'Packages'), await packageIndex(packages, signal));
    for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
      await mkdir(join(root, 'usr', folder), { recursive: true });
      await quiet`ln -s usr/${folder} ${join(root, folder)}`;
    }
    const unpack = ['tar', '-x', '-C', root, '--keep-directory-symlink', '--no-same-owner'] as const;
    for (const { file } of packages) await pipe(['dpkg-deb', '--fsys-tarfile', file], [...unpack], { signal });
    await quiet`tar -c -C ${root} --owner=0 --group=0 --numeric-owner . | docker import --change ${`LABEL ${label}`} - ${builder}`;
    const scratch = ['--tmpfs', '/target:exec,suid,dev,mode=755', '-v', `${archive}:${archiveFolder}:ro`];
    const install = ['--rm', '--log-driver', 'none', '--network', 'none', ...scratch, builder, 'sh', '-c', installBare];
    const made = join(workspace, 'bare.tar');
    await quiet`docker run ${install} >${made}`;
    const changes = ['CMD ["/sbin/init"]', `LABEL ${label}`].flatMap((change) => ['--change', change]);
    await quiet`docker import ${changes} ${made} ${reference}`;
  } finally {
    await quiet({ nothrow: true })`docker rmi ${builder}`;
    await rm(workspace, { recursive: true, force: true });
  }
}

/** The index that apt reads in a folder of packages. */
async function packageIndex(packages: readonly DownloadedPackage[], signal: AbortSignal): Promise<string> {
  const stanzas = packages.map(async ({ file }) => {
    const fields = await run(['dpkg-deb', '--field', file], { signal });
    const digest = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    return `${fields.trimEnd()}\nFilename: ./${basename(file)}\nSize: ${(await stat(file)).size}\nSHA256: ${digest}\n`;
  });
  return (await Promise.all(stanzas)).join('\n');
}

async function makeEngine(bare: string, reference: string): Promise<void> {
  const container = `second-box-${process.pid}`;
  try {
    await quiet`docker run --name ${container} --network none ${bare} sh -c ${installEngine}`;
    await quiet`docker commit --change ${'CMD ["/sbin/init"]'} ${container} ${reference}`;
  } finally {
    await quiet({ nothrow: true })`docker rm -f ${container}`;
  }
}
