import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { removeAbandoned } from '../../images/base/abandoned.ts';
import { isDiskFull } from '../../images/base/command.ts';
import { demandDiskSpace } from '../setup/disk-space.mjs';
import type { Kit } from '../setup/kit.mjs';
import type { Progress } from '../setup/progress.mjs';
import { toolchainNode } from '../setup/steps/node.mjs';
import { output, tarCommand } from './archive.ts';
import { BundleFile } from './bundle-file.ts';
import { layOutPackages } from './debian-packages.ts';
import { neededGlibc } from './glibc.ts';
import { bundledImages, engineArchitecture, ensureImages, layOutImages } from './images.ts';
import type { Manifest, Part } from './manifest.ts';
import { committedProgram, layOutProgram, programDigests } from './program.ts';
import { cachesIn, layOutKit, pluginFolders, toolLinks } from './toolchain.ts';

export interface BundleOptions {
  readonly stack: string;
  /** File to make; default: named after version, commit and processor, in `bundles/`. */
  readonly output: string | undefined;
  /** Whether Debian packages of the Docker engine go in. */
  readonly engine: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export interface MadeBundle {
  readonly file: string;
  readonly bytes: number;
  /** Of the whole file: to be compared with what arrives. */
  readonly sha256: string;
  readonly manifest: Manifest;
}

const inProgress = '.in-progress-';
const dockerArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Makes a bundle of the checkout's last commit. The file appears whole or not at all. */
export async function makeBundle(kit: Kit, options: BundleOptions): Promise<MadeBundle> {
  const { signal, progress } = options;
  const program = await committedProgram(kit.root);
  const engine = await engineArchitecture(signal);
  if (engine !== dockerArchitectures[process.arch]) {
    throw new Error(
      `The Docker engine is ${engine} and this machine ${process.arch}: make the bundle where they are the same`,
    );
  }
  const name = `conversation-kit-${program.version}-${program.commit.slice(0, 12)}-linux-${process.arch}.sh`;
  const file = resolve(options.output ?? join(kit.root, 'bundles', name));
  const workspaces = join(kit.directory, 'bundles');
  await Promise.all([dirname(file), workspaces].map((folder) => mkdir(folder, { recursive: true })));
  await removeAbandoned(dirname(file), `${basename(file)}${inProgress}`);
  await removeAbandoned(workspaces, '');
  demandDiskSpace([
    { what: 'The bundle', path: dirname(file), bytes: 0.7e9 },
    { what: 'What goes into it', path: workspaces, bytes: 0.3e9 },
  ]);
  const workspace = await mkdtemp(join(workspaces, `${process.pid}-`));
  const partial = `${file}${inProgress}${process.pid}`;
  const bundle = await BundleFile.create(partial);
  try {
    const content = await layOut(kit, program, workspace, options);
    const nodeFolder = join('.kit', 'toolchain', toolchainNode(kit).folder);
    const archives: (readonly [name: string, kind: Part['kind'], command: readonly [string, ...string[]]])[] = [
      // First, and as any Debian can unpack it: it unpacks the others.
      ['node.tar.gz', 'tar.gz', tarCommand([{ folder: kit.root, paths: [nodeFolder] }, content.kit])],
      ['program.tar.zst', 'tar.zst', tarCommand([content.program])],
      [
        'node_modules.tar.zst',
        'tar.zst',
        tarCommand([{ folder: kit.root, paths: ['node_modules'] }], cachesIn(join(kit.root, 'node_modules'))),
      ],
      ['pulumi.tar.zst', 'tar.zst', tarCommand([{ folder: kit.root, paths: content.pulumi }])],
      ...(content.packages ? [['packages.tar', 'tar', tarCommand([content.packages])] as const] : []),
      ['images.tar.zst', 'file', ['docker', 'save', ...content.manifest.images.list.map(({ reference }) => reference)]],
    ];
    for (const [index, [part, kind, command]] of archives.entries()) {
      await step(progress, part, `${index + 1}/${archives.length}`, 'packing', async () => {
        const { stream, ended } = output(command, { signal });
        const added = bundle.add(part, kind, stream, signal);
        const [{ bytes, unpacked }] = await Promise.all([added, ended]);
        return `${megabytes(bytes)} of ${megabytes(unpacked)}`;
      });
    }
    const manifest: Manifest = { ...content.manifest, parts: bundle.parts.map(({ offset: _, ...part }) => part) };
    await bundle.add('files', 'file', content.digests, signal);
    await bundle.add('manifest.json', 'file', `${JSON.stringify(manifest, undefined, 2)}\n`, signal);
    const installer = await readFile(join(import.meta.dirname, 'install.sh'), 'utf8');
    const bytes = await bundle.finish(installer, manifest);
    const sha256 = await digestOf(partial, signal);
    await rename(partial, file);
    return { file, bytes, sha256, manifest };
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new Error(
      `The disk became full while the bundle was made (${dirname(file)}, ${workspaces}), and nothing of it was kept. Free some, then run the same command again.`,
      { cause: error },
    );
  } finally {
    await bundle.close();
    await rm(partial, { force: true });
    await rm(workspace, { recursive: true, force: true });
  }
}

/** Brings together what is not in the checkout as it goes into the bundle. */
async function layOut(
  kit: Kit,
  program: { version: string; commit: string },
  workspace: string,
  { stack, engine, progress, signal }: BundleOptions,
) {
  const folders = {
    program: join(workspace, 'program'),
    kit: join(workspace, 'kit'),
    packages: join(workspace, 'packages'),
  };
  await Promise.all(Object.values(folders).map((folder) => mkdir(folder)));

  const digests = await step(progress, 'Program', '1/3', `commit ${program.commit}`, async () => {
    await layOutProgram(kit.root, program, folders.program, signal);
    return programDigests(folders.program);
  });
  const { images, source } = await step(progress, 'Images', '2/3', 'what the stack runs', async (say) => {
    const laidOut = await layOutImages(kit.root, stack, signal);
    await ensureImages(kit.root, laidOut, { signal, say });
    return laidOut;
  });
  const list = await bundledImages({ source, images }, signal);
  const packages = engine
    ? await step(progress, 'Debian packages', '3/3', 'the Docker engine', (say) =>
        layOutPackages(folders.packages, { signal, say }),
      )
    : undefined;
  await layOutKit(kit, folders.kit, source);

  const { folder, program: nodeProgram } = toolchainNode(kit);
  const manifest: Omit<Manifest, 'parts'> = {
    format: 1,
    ...program,
    stack,
    architecture: process.arch,
    glibc: neededGlibc(join(kit.toolchain, folder, nodeProgram), join(kit.root, 'node_modules')),
    images: { source, list },
    packages,
  };
  return {
    manifest,
    digests,
    program: { folder: folders.program, paths: (await readdir(folders.program)).sort() },
    kit: { folder: folders.kit, paths: ['.kit'] },
    pulumi: [join('.kit', 'toolchain', basename(dirname(toolLinks(kit).pulumi ?? ''))), ...pluginFolders(kit)],
    packages: packages && { folder: folders.packages, paths: ['.kit'] },
  };
}

async function digestOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex');
}

/** Runs a part of the work in sight of the person. */
async function step<T>(
  progress: Progress,
  name: string,
  position: string,
  about: string,
  work: (say: (line: string) => void) => Promise<T>,
): Promise<T> {
  progress.started(name, position, about);
  try {
    const result = await work((line) => progress.line(name, line));
    progress.finished(name, typeof result === 'string' && result.length < 80 ? result : 'there');
    return result;
  } catch (error) {
    progress.ended(name, 'failed');
    throw error;
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
