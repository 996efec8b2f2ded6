import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { contentHash } from './content-hash.ts';
import { installLockedPackages } from './locked-packages.ts';

export const imageRoles = ['postgres', 'redis', 'caddy', 'supabase', 'service', 'redis-commander'] as const;
export type ImageRole = (typeof imageRoles)[number];

/** Content by path inside the build context, with `/` between folders. */
export type ContextFiles = Readonly<Record<string, string | Uint8Array>>;

export interface ImageContext {
  /** The build context, relative to the project: `.kit/images/<role>-<hash>`. */
  readonly directory: string;
  /** What the image is called: `conversation-kit/<role>:<hash>`. */
  readonly reference: string;
}

export interface ImageIngredients {
  /** Image that it starts from: the build argument BASE. */
  readonly base: string;
  /** What goes into the context besides the role's own folder. */
  readonly files: ContextFiles;
  /** The project; where this file is, unless told otherwise. */
  readonly root?: string;
}

/** What a role's context has besides files: git keeps no empty folder, and thousands of packages are better pinned. */
const specialties: Partial<Record<ImageRole, { readonly emptyFolders?: readonly string[]; readonly npm?: true }>> = {
  redis: { emptyFolders: ['volumes/data'] },
  'redis-commander': { npm: true },
};

/** How many contexts of a role stay: those of the releases that a rollback goes back to. */
const kept = 5;
/** Of every file, so that the same context is the same bytes. */
const epoch = new Date('2000-01-01T00:00:00Z');

/**
 * The name that an image gets from what it is made of: its role's folder, the files, the image it starts from. Same
 * ingredients, same reference, on every machine.
 */
export function imageReference(role: ImageRole, { base, files, root = projectRoot }: ImageIngredients): string {
  const all = { ...roleFiles(root, role), ...files };
  const pieces = Object.entries(all).map(([path, content]) => [`file ${path}`, content] as const);
  return `conversation-kit/${role}:${contentHash([...pieces, ['base', base], ['specialty', JSON.stringify(specialties[role] ?? {})]])}`;
}

/**
 * Lays the build context of an image out on disk, where it is not there yet, and names the image. The folder appears
 * whole or not at all. The build needs no network.
 */
export function imageContext(role: ImageRole, ingredients: ImageIngredients): ImageContext {
  const { files, root = projectRoot } = ingredients;
  const reference = imageReference(role, ingredients);
  const directory = join('.kit/images', `${role}-${reference.split(':')[1]}`);
  const target = join(root, directory);
  const all = { ...roleFiles(root, role), ...files };
  if (!holds(target, all)) {
    mkdirSync(dirname(target), { recursive: true });
    const workspace = mkdtempSync(join(dirname(target), `in-progress-${role}-`));
    try {
      fill(workspace, role, all);
      rmSync(target, { recursive: true, force: true });
      renameSync(workspace, target);
    } catch (error) {
      // Another run may have made the same one meanwhile.
      if (!holds(target, all)) throw error;
    } finally {
      rmSync(workspace, { recursive: true, force: true });
    }
  }
  const now = new Date();
  utimesSync(target, now, now);
  removeOldest(dirname(target), role);
  return { directory, reference };
}

const projectRoot = dirname(import.meta.dirname);

/** What the role's folder contributes: everything but TypeScript, which is the program's. */
function roleFiles(root: string, role: ImageRole): Record<string, Buffer> {
  const folder = join(root, 'images', role);
  const paths = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.map((path) => [relative(folder, path), readFileSync(path)]));
}

function holds(directory: string, files: ContextFiles): boolean {
  return Object.entries(files).every(([path, content]) => {
    const file = join(directory, path);
    return existsSync(file) && Buffer.from(content).equals(readFileSync(file));
  });
}

function fill(directory: string, role: ImageRole, files: ContextFiles): void {
  chmodSync(directory, 0o755);
  for (const [path, content] of Object.entries(files).sort(([left], [right]) => (left < right ? -1 : 1))) {
    if (normalize(path) !== path || path.startsWith('/') || path.startsWith('..')) {
      throw new Error(`the build context of ${role} can't have a file ${JSON.stringify(path)}: it lies outside`);
    }
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content);
    chmodSync(file, Buffer.from(content).subarray(0, 2).equals(Buffer.from('#!')) ? 0o755 : 0o644);
    utimesSync(file, epoch, epoch);
  }
  const { emptyFolders = [], npm } = specialties[role] ?? {};
  for (const folder of emptyFolders) mkdirSync(join(directory, folder), { recursive: true, mode: 0o755 });
  if (npm) installLockedPackages(directory);
}

/** The folder's own time says when it was last asked for. */
function removeOldest(parent: string, role: ImageRole): void {
  const isOfRole = new RegExp(`^${role}-[0-9a-f]{12}$`);
  const folders = readdirSync(parent)
    .filter((name) => isOfRole.test(name))
    .map((name) => ({ path: join(parent, name), asked: statSync(join(parent, name)).mtimeMs }))
    .sort((left, right) => right.asked - left.asked);
  for (const { path } of folders.slice(kept)) rmSync(path, { recursive: true, force: true });
}
