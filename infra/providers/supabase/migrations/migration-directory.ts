import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { lint } from './lint.ts';
import { type MigrationFile, type MigrationProblem, parseMigrationFile } from './migration-file.ts';

/** What a directory of migrations holds. The files are to be run only when there are no problems. */
export interface MigrationDirectory {
  /** In the order in which they run. */
  readonly files: readonly MigrationFile[];
  readonly problems: readonly MigrationProblem[];
}

/** The directory is not there or can't be read. */
export class MigrationDirectoryError extends Error {
  override readonly name = 'MigrationDirectoryError';
}

/**
 * Reads and parses every `.sql` file of a directory (not of its sub-directories). Other files, such as a README, are
 * left alone. Throws {@link MigrationDirectoryError}.
 */
export function readMigrationDirectory(directory: string): MigrationDirectory {
  const path = resolveDirectory(directory);
  const parsed = sqlFileNames(path, directory).map((fileName) =>
    parseMigrationFile(fileName, readFileSync(join(path, fileName), 'utf8')),
  );
  const files = parsed.flatMap(({ file }) => file ?? []);
  return {
    files,
    problems: [
      ...parsed.flatMap(({ problems }) => problems),
      ...versionProblems(files),
      ...files.flatMap((file) => lint(file)),
    ],
  };
}

/** A relative path is meant from the folder of `Pulumi.yaml`, wherever the program itself lies. */
function resolveDirectory(directory: string): string {
  const start = process.cwd();
  for (let folder = start; ; folder = dirname(folder)) {
    if (['Pulumi.yaml', 'Pulumi.yml', 'Pulumi.json'].some((name) => existsSync(join(folder, name)))) {
      return resolve(folder, directory);
    }
    if (folder === dirname(folder)) return resolve(start, directory);
  }
}

function sqlFileNames(path: string, directory: string): string[] {
  try {
    return readdirSync(path)
      .filter((name) => name.endsWith('.sql') && statSync(join(path, name)).isFile())
      .sort();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const reason = code === 'ENOENT' ? 'there is no such directory' : code === 'ENOTDIR' ? 'is a file' : String(error);
    throw new MigrationDirectoryError(`${directory}: ${reason} (looked at ${path})`, { cause: error });
  }
}

/** Versions are text that is sorted, by the Supabase CLI too: of one length, and each once. */
function versionProblems(files: readonly MigrationFile[]): MigrationProblem[] {
  const [first] = files;
  return files.flatMap(({ fileName, version }, index) => {
    const twin = files.slice(0, index).find((other) => other.version === version);
    if (twin) return { fileName, message: `has the same version as ${twin.fileName}: give one of them another` };
    if (first && version.length !== first.version.length) {
      const message = `has a version of ${version.length} digits, ${first.fileName} one of ${first.version.length}: versions are compared as text, so all need the same length`;
      return { fileName, message };
    }
    return [];
  });
}
