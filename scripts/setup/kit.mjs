import { mkdirSync, readlinkSync, realpathSync, renameSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join, relative, sep } from 'node:path';

/**
 * Where everything of the kit's own lies: in one ignored folder of the project. Nothing goes into the user's home, but
 * for npm's cache and Go's caches of modules and builds, which are there to be shared between projects.
 *
 * @typedef {object} Kit
 * @property {string} root         the checkout
 * @property {string} directory    `.kit`
 * @property {string} bin          goes first on PATH: links only
 * @property {string} toolchain    what those link to, one folder per content key
 * @property {string} temporary    half-made things; emptied whenever set-up runs
 * @property {string} logs         one log per step
 * @property {string} pulumiHome   PULUMI_HOME
 * @property {string} state        the file backend
 * @property {string} compileCache NODE_COMPILE_CACHE
 * @property {string} passphrase   file with the passphrase of the stacks' secrets
 * @property {string} dockerd      log and pid of an engine that the kit started
 * @property {string} imageSource  file that remembers `registry` or `local`
 * @property {string} lock
 * @property {NodeJS.ProcessEnv} env  what the person's shell gave us
 */

/**
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @returns {Kit}
 */
export function openKit(root, env) {
  const directory = join(root, '.kit');
  return {
    root,
    directory,
    bin: join(directory, 'bin'),
    toolchain: join(directory, 'toolchain'),
    temporary: join(directory, 'tmp'),
    logs: join(directory, 'logs'),
    pulumiHome: join(directory, 'pulumi-home'),
    state: join(directory, 'state'),
    compileCache: join(directory, 'compile-cache'),
    passphrase: join(directory, 'passphrase'),
    dockerd: join(directory, 'dockerd'),
    imageSource: join(directory, 'image-source'),
    lock: join(directory, 'lock'),
    env,
  };
}

/**
 * Points `.kit/bin/<name>` at a tool, in one step: there is never a moment without it. Links into the kit are relative,
 * so that a checkout may be moved.
 *
 * @param {Kit} kit
 * @param {string} name
 * @param {string} target  absolute path
 */
export function linkTool(kit, name, target) {
  mkdirSync(kit.bin, { recursive: true });
  mkdirSync(kit.temporary, { recursive: true });
  const made = join(kit.temporary, `link-${name}-${process.pid}`);
  symlinkSync(isInside(target, kit.directory) ? relative(kit.bin, target) : target, made);
  renameSync(made, join(kit.bin, name));
}

/**
 * What `.kit/bin/<name>` points at, every link resolved; undefined where it is missing or dangling.
 *
 * @param {Kit} kit
 * @param {string} name
 */
export function linkedTool(kit, name) {
  const link = join(kit.bin, name);
  try {
    readlinkSync(link);
    return realpathSync(link);
  } catch {
    return undefined; // there is no such link, it dangles, or it is none: each time it has to be made
  }
}

/**
 * The tools of that name on the person's own PATH, without the kit's and without npm packages' (npm puts their folders
 * first while a script runs).
 *
 * @param {Kit} kit
 * @param {string} name
 */
export function ownTools(kit, name) {
  return (kit.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder && !isInside(folder, kit.directory) && !folder.endsWith(join('node_modules', '.bin')))
    .map((folder) => join(folder, name))
    .filter((path) => resolved(path) !== undefined)
    .filter((path) => !isInside(dirname(resolved(path) ?? path), kit.directory));
}

/** @param {string} path */
function resolved(path) {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // not there: that folder of PATH does not have it
  }
}

/**
 * @param {string} path
 * @param {string} folder
 */
export function isInside(path, folder) {
  return path === folder || path.startsWith(folder + sep);
}
