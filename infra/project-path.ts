import { dirname, join, relative } from 'node:path';

/** The checkout. */
export const projectRoot = dirname(import.meta.dirname);

/**
 * A path of the project as the docker plugin needs it: from the program's folder, where the engine starts it. Relative, so
 * that the same stack looks the same in another clone.
 */
export function fromProgram(path: string): string {
  return relative(import.meta.dirname, join(projectRoot, path));
}
