import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmCleanInstall } from '../npm.mjs';

/** @import { Step } from '../step-runner.mjs' */

/**
 * A package as both lock files describe it: the project's, and the one that npm leaves in `node_modules` once all of
 * it is there.
 *
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [link]
 * @property {boolean} [optional]
 * @property {string | string[]} [os]
 * @property {string | string[]} [cpu]
 * @property {string | string[]} [libc]
 */
/** @typedef {Readonly<Record<string, LockedPackage>>} LockedPackages */
/** @typedef {{ os: string, cpu: string, libc: string }} Machine */

/**
 * The project's npm packages, exactly as the lock file says. No package's own scripts are run: none needs it, and so the
 * version of Node.js does not matter, either.
 *
 * @type {Step}
 */
export const npmPackages = {
  name: 'npm packages',
  about: 'npm ci',
  fetches: 'packages from npm',
  after: ['Node.js'],
  disk: (kit) => [{ what: 'npm packages and the cache of npm', path: kit.root, bytes: 0.8e9 }],

  check(kit) {
    const wanted = lockedPackages(join(kit.root, 'package-lock.json'));
    const installed = lockedPackages(join(kit.root, 'node_modules', '.package-lock.json'));
    if (!wanted || !installed) return undefined;
    const machine = {
      os: process.platform,
      cpu: process.arch,
      libc: existsSync('/etc/alpine-release') ? 'musl' : 'glibc',
    };
    const there = expectedPackages(wanted, installed, machine);
    if (!there?.every((path) => existsSync(join(kit.root, path, 'package.json')))) return undefined;
    return `${there.length} as locked`;
  },

  async run(kit, job) {
    const { command, args, env } = npmCleanInstall(kit);
    await job.tool(command, args, { env });
  },
};

/**
 * @param {LockedPackages} wanted
 * @param {LockedPackages} installed
 * @param {Machine} machine
 * @returns {string[] | undefined} folders that have to exist; undefined where the two differ
 */
export function expectedPackages(wanted, installed, machine) {
  const folders = [];
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.startsWith('node_modules/')) continue;
    const there = installed[path];
    if (there) {
      if (there.version !== entry.version || there.integrity !== entry.integrity || there.link !== entry.link)
        return undefined;
      folders.push(path);
    } else if (!entry.optional || isMadeFor(entry, machine)) return undefined;
  }
  return folders;
}

/**
 * Whether an optional package has to be there. One that names no machine may be absent: it can belong to a package that
 * is for another machine.
 *
 * @param {LockedPackage} entry
 * @param {Machine} machine
 */
function isMadeFor({ os, cpu, libc }, machine) {
  if (os === undefined && cpu === undefined) return false;
  return accepts(os, machine.os) && accepts(cpu, machine.cpu) && accepts(libc, machine.libc);
}

/**
 * @param {string | string[] | undefined} names
 * @param {string} name
 */
function accepts(names, name) {
  return names === undefined || [names].flat().includes(name);
}

/**
 * @param {string} path
 * @returns {LockedPackages | undefined}
 */
function lockedPackages(path) {
  if (!existsSync(path)) return undefined;
  /** @type {unknown} */
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof lock !== 'object' || lock === null || !('packages' in lock)) return undefined;
  const { packages } = lock;
  return typeof packages === 'object' && packages !== null ? { ...packages } : undefined;
}
