import { chmod, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipe, run } from './command.ts';
import type { DownloadedPackage } from './packages.ts';
import { recipe } from './recipe.ts';

export interface RootFileSystem {
  /** Folder with the servers' own programs, as the image will see it. */
  readonly postgresPrograms: string;
}

/**
 * Lays the packages out in `root`. No maintainer script runs, so it takes neither root nor a change of root; the little
 * that those scripts would have done, and that is needed, is done here.
 */
export async function layOut(
  root: string,
  packages: readonly DownloadedPackage[],
  signal: AbortSignal,
): Promise<RootFileSystem> {
  await mergedUsr(root);
  const leftOut = recipe.leftOut.map((pattern) => `--exclude=${pattern}`);
  const unpack = ['--extract', '--anchored', ...leftOut, '--keep-directory-symlink', '--no-same-owner'] as const;
  for (const { file } of packages) {
    await pipe(['dpkg-deb', '--fsys-tarfile', file], ['tar', ...unpack, '--preserve-permissions', '-C', root], {
      signal,
    });
  }
  await keepLicencesOnly(join(root, 'usr/share/doc'));
  await accounts(root);
  // PostgreSQL lists its time zones by the files there, one of which links to this; the package's script would make it.
  await symlink('/usr/share/zoneinfo/Etc/UTC', join(root, 'etc/localtime'));
  await certificateBundle(root);
  await packageStatus(root, packages, signal);
  for (const folder of ['tmp', 'var/tmp', 'run', 'usr/local/bin', 'home', 'proc', 'sys', 'dev']) {
    await mkdir(join(root, folder), { recursive: true });
  }
  await Promise.all(['tmp', 'var/tmp'].map((folder) => chmod(join(root, folder), 0o1777)));
  await rm(join(root, 'var/run'), { recursive: true, force: true });
  await symlink('/run', join(root, 'var/run'));
  return { postgresPrograms: await postgresPrograms(root) };
}

/** `/bin`, `/lib` and `/sbin` are links into `/usr`: packages still come with paths of both kinds. */
async function mergedUsr(root: string): Promise<void> {
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(root, 'usr', folder), { recursive: true });
    await symlink(`usr/${folder}`, join(root, folder));
  }
}

async function keepLicencesOnly(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    for (const name of await readdir(join(folder, entry.name))) {
      if (name !== 'copyright') await rm(join(folder, entry.name, name), { recursive: true });
    }
  }
}

async function accounts(root: string): Promise<void> {
  const { name, id } = recipe.account;
  const lines = {
    'etc/passwd': ['root:x:0:0:root:/root:/bin/sh', `${name}:x:${id}:${id}:conversation-kit:/nonexistent:/bin/sh`],
    'etc/group': ['root:x:0:', `${name}:x:${id}:`],
    'etc/nsswitch.conf': ['passwd: files', 'group: files', 'hosts: files dns', 'services: files', 'protocols: files'],
  };
  for (const [file, content] of Object.entries(lines)) await writeFile(join(root, file), `${content.join('\n')}\n`);
}

/** Where Go and OpenSSL look for the authorities that they trust. */
async function certificateBundle(root: string): Promise<void> {
  const folder = join(root, 'usr/share/ca-certificates/mozilla');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.crt')).sort();
  const certificates = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  await mkdir(join(root, 'etc/ssl/certs'), { recursive: true });
  await writeFile(join(root, 'etc/ssl/certs/ca-certificates.crt'), certificates.join(''));
  await rm(folder, { recursive: true });
}

/** What is in the image and in which version, where vulnerability scanners look for it. */
async function packageStatus(root: string, packages: readonly DownloadedPackage[], signal: AbortSignal): Promise<void> {
  const stanzas: string[] = [];
  for (const { file } of packages) {
    const fields = (await run(['dpkg-deb', '--field', file], { signal })).trimEnd();
    stanzas.push(`${fields.replace(/^(Package: .*)$/m, '$1\nStatus: install ok installed')}\n`);
  }
  await mkdir(join(root, 'var/lib/dpkg'), { recursive: true });
  await writeFile(join(root, 'var/lib/dpkg/status'), stanzas.join('\n'));
}

async function postgresPrograms(root: string): Promise<string> {
  const versions = await readdir(join(root, 'usr/lib/postgresql'));
  const [version] = versions;
  if (version === undefined || versions.length > 1) {
    throw new Error(`the packages bring ${versions.length} versions of PostgreSQL, and one is expected`);
  }
  const folder = `/usr/lib/postgresql/${version}/bin`;
  await lstat(join(root, folder, 'postgres'));
  return folder;
}
