import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import { removeAbandoned } from './abandoned.ts';
import { isDiskFull } from './command.ts';
import { createImage, type EngineImage, findImage } from './engine-image.ts';
import { placeNode } from './node-binary.ts';
import { downloadPackages } from './packages.ts';
import { BaseImageProblem } from './problem.ts';
import { recipe } from './recipe.ts';
import { baseImageReference, isSupported } from './reference.ts';
import { layOut } from './root-file-system.ts';

const usage = `node images/base/ensure.ts [--check] [--rebuild] [--json]

Builds the base image from the distribution's packages, where the Docker engine does not have it yet.
  --check    only say whether it has: prints the reference, or ends with exit code 1
  --rebuild  build it anyway, for newer packages
  --json     print reference, id and size in bytes`;

const workspaces = join(import.meta.dirname, '../../.kit/images');
const prefix = 'base-in-progress-';
/** Bytes: package lists, packages, and what they unpack to. */
const space = 700e6;

const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    rebuild: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = report(error);
}

async function main(): Promise<number> {
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const reference = baseImageReference();
  const docker = new Docker();
  const present = await findImage(docker, reference);
  if (options.check && !present) return 1;
  const image = present && !options.rebuild ? present : await build(docker, reference);
  console.log(options.json ? JSON.stringify({ reference, ...image }) : reference);
  return 0;
}

async function build(docker: Docker, reference: string): Promise<EngineImage> {
  const { arch } = process;
  if (!isSupported(arch)) {
    throw new BaseImageProblem(`There is no base image for the processor architecture ${arch}`, {
      remedy: `Use one of ${Object.keys(recipe.node.sha256).join(', ')}, or pull public images: KIT_IMAGES=registry.`,
    });
  }
  const { signal } = interrupted;
  const began = performance.now();
  const say = (text: string) =>
    console.error(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

  await mkdir(workspaces, { recursive: true });
  await removeAbandoned(workspaces, prefix);
  await demandSpace();
  const workspace = await mkdtemp(join(workspaces, `${prefix}${process.pid}-`));
  try {
    const packages = await downloadPackages(workspace, recipe, { signal, say });
    say('unpacking');
    const root = join(workspace, 'root');
    await mkdir(root, { mode: 0o755 });
    const { postgresPrograms } = await layOut(root, packages, signal);
    await placeNode(join(root, 'usr/local/bin/node'), { architecture: arch, workspace, signal, say });
    say('handing it to the Docker engine');
    const image = await createImage(
      docker,
      {
        root,
        reference,
        path: ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', postgresPrograms],
        labels: { 'conversation-kit.image': 'base', 'conversation-kit.recipe': reference.split(':')[1] ?? '' },
      },
      signal,
    );
    say(`${reference}, ${Math.round(image.size / 1e6)} MB`);
    return image;
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

/** Beforehand, as apt hangs when the disk fills up under it. */
async function demandSpace(): Promise<void> {
  const { bavail, bsize } = await statfs(workspaces);
  if (bavail * bsize >= space) return;
  throw new BaseImageProblem(
    `Building the base image takes ${space / 1e6} MB below ${workspaces}, and ${Math.floor((bavail * bsize) / 1e6)} MB are free`,
    { remedy: 'Free some, then run the same command again.' },
  );
}

/** Says what went wrong, for a person; returns the exit code. */
function report(error: unknown): number {
  if (interrupted.signal.aborted) {
    console.error('Interrupted: nothing of the base image was kept.');
    return 130;
  }
  if (error instanceof BaseImageProblem) {
    console.error(`${error.message}\n${error.remedy}`);
  } else if (isDiskFull(error)) {
    console.error(`The disk became full below ${workspaces}.\nFree some, then run the same command again.`);
  } else {
    console.error(error instanceof Error ? error.message : String(error));
  }
  return 1;
}
