import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The glibc that programs of the bundle ask for: Node.js, and what npm packages bring for it. */
export function neededGlibc(nodeProgram: string, nodeModules: string): string {
  const addons = globSync('**/*.node', { cwd: nodeModules }).map((path) => join(nodeModules, path));
  return newest([nodeProgram, ...addons].flatMap((path) => glibcVersions(readFileSync(path))));
}

/** The versions of glibc's symbols that a program names. */
export function glibcVersions(program: Buffer): string[] {
  return [...program.toString('latin1').matchAll(/GLIBC_(2\.\d+)/g)].map(([, version = '']) => version);
}

/** Versions of glibc are all 2.x. */
export function newest(versions: readonly string[]): string {
  return `2.${Math.max(0, ...versions.map((version) => Number(version.split('.')[1])))}`;
}
