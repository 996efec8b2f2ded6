import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { pipeline, type Readable } from 'node:stream';
import { pipeline as completed } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import { DockerIgnore } from './dockerignore.ts';

/** Where an image is built from; both paths are absolute. */
export interface BuildPlace {
  readonly context: string;
  readonly dockerfile: string;
  /** The Dockerfile's path in the context, with `/`; begins with `../` when it lies outside. */
  readonly dockerfileInContext: string;
}

/** Relative paths are relative to the project; that of the Dockerfile to `dockerfileFrom`, the context by default. */
export function buildPlace(context: string, dockerfile: string, dockerfileFrom = context): BuildPlace {
  const home = (path: string): string => path.replace(/^~(?=\/|$)/, homedir());
  const directory = resolve(home(context));
  const file = isAbsolute(dockerfile) ? dockerfile : resolve(home(dockerfileFrom), dockerfile);
  return { context: directory, dockerfile: file, dockerfileInContext: relative(directory, file).split(sep).join('/') };
}

/** What can't be built from, in words; `undefined` when it can. */
export async function placeProblem({ context, dockerfile }: BuildPlace): Promise<string | undefined> {
  if (!(await stat(context).catch(() => undefined))?.isDirectory()) return `there is no directory ${context}`;
  if (!(await stat(dockerfile).catch(() => undefined))?.isFile()) return `there is no Dockerfile ${dockerfile}`;
  return undefined;
}

/** One thing in a build context; `path` is relative, with `/`. */
export interface ContextEntry {
  readonly path: string;
  readonly stats: Stats;
}

/** Everything in a context that is not ignored, in the order of the paths' parts; directories before what is in them. */
export async function* contextEntries(context: string, ignore: DockerIgnore, below = ''): AsyncGenerator<ContextEntry> {
  const names = await readdir(join(context, below));
  for (const name of names.sort()) {
    const path = below === '' ? name : `${below}/${name}`;
    const ignored = ignore.ignores(path);
    const stats = await lstat(join(context, path));
    if (stats.isDirectory()) {
      if (!ignored) yield { path, stats };
      if (!ignored || ignore.takesBackIn) yield* contextEntries(context, ignore, path);
    } else if (!ignored) {
      yield { path, stats };
    }
  }
}

/**
 * A compressed tar of the context, all of it owned by root. A Dockerfile from outside is put in under the name returned
 * by `outsideName`. Destroys the stream with the error when a file can't be read.
 */
export function contextArchive(place: BuildPlace, patterns: readonly string[]): Readable {
  const archive = pack();
  const compressed = createGzip();
  pipeline(archive, compressed, () => undefined); // an error in one destroys the other, and who reads gets it
  fill(archive, place, new DockerIgnore(patterns)).catch((error: unknown) => {
    compressed.destroy(new Error(`the build context ${place.context} can't be read`, { cause: error }));
  });
  return compressed;
}

export const isOutside = ({ dockerfileInContext }: BuildPlace): boolean => dockerfileInContext.startsWith('../');
export const outsideName = '.dockerfile.outside-of-context';

async function fill(archive: Pack, place: BuildPlace, ignore: DockerIgnore): Promise<void> {
  for await (const { path, stats } of contextEntries(place.context, ignore))
    await add(archive, join(place.context, path), path, stats);
  if (isOutside(place)) await add(archive, place.dockerfile, outsideName, await stat(place.dockerfile));
  archive.finalize();
}

async function add(archive: Pack, source: string, name: string, stats: Stats): Promise<void> {
  const header = { name, mode: stats.mode & 0o7777, mtime: stats.mtime, uid: 0, gid: 0 };
  if (stats.isDirectory()) archive.entry({ ...header, type: 'directory' });
  else if (stats.isSymbolicLink()) archive.entry({ ...header, type: 'symlink', linkname: await readlink(source) });
  else if (stats.isFile())
    await completed(createReadStream(source), archive.entry({ ...header, type: 'file', size: stats.size }));
  // Sockets, pipes and devices are nothing that an image is built from.
}
