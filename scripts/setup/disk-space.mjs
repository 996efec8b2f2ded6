import fs, { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SetupError } from './setup-error.mjs';

/**
 * @typedef {object} DiskNeed
 * @property {string} what
 * @property {string} path  where it goes; need not exist yet
 * @property {number} bytes
 */

/**
 * @typedef {object} FileSystem
 * @property {string} path  a folder on it
 * @property {number} free  bytes
 * @property {readonly DiskNeed[]} needs
 */

/**
 * Throws, before anything is begun, where it would not fit.
 *
 * @param {readonly DiskNeed[]} needs
 */
export function demandDiskSpace(needs) {
  if (!('statfsSync' in fs)) return; // Node.js before 18.15 can't tell; then the tool that hits the limit says so
  /** @type {Map<number, { path: string, free: number, needs: DiskNeed[] }>} */
  const systems = new Map();
  for (const need of needs) {
    const path = existingFolder(need.path);
    const { dev } = statSync(path);
    const system = systems.get(dev) ?? { path, free: freeBytes(path), needs: [] };
    system.needs.push(need);
    systems.set(dev, system);
  }
  const problem = spaceProblem([...systems.values()]);
  if (problem) throw problem;
}

/**
 * @param {readonly FileSystem[]} systems
 * @returns {SetupError | undefined}
 */
export function spaceProblem(systems) {
  const full = systems
    .map((system) => ({ ...system, needed: system.needs.reduce((sum, { bytes }) => sum + bytes, 0) }))
    .filter(({ free, needed }) => free < needed);
  if (full.length === 0) return undefined;
  const lines = full.map(
    ({ path, free, needed, needs }) =>
      `  ${gigabytes(needed)} are needed and ${gigabytes(free)} are free where ${path} lies:\n${needs
        .map(({ what, path: where, bytes }) => `    ${gigabytes(bytes)}  ${what} (${where})`)
        .join('\n')}`,
  );
  return new SetupError(`There is not enough disk space:\n${lines.join('\n')}`, {
    remedy: `Free ${full.map(({ needed, free, path }) => `${gigabytes(needed - free)} there (${path})`).join(' and ')}, then run the same command again.`,
  });
}

/** @param {string} path */
function freeBytes(path) {
  const { bavail, bsize } = fs.statfsSync(path);
  return bavail * bsize;
}

/**
 * @param {string} path
 * @returns {string}
 */
function existingFolder(path) {
  return existsSync(path) ? path : existingFolder(dirname(path));
}

/** @param {number} bytes */
function gigabytes(bytes) {
  return `${(Math.ceil(bytes / 1e8) / 10).toFixed(1)} GB`;
}
