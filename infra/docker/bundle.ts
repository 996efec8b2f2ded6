import { join } from 'node:path';
import { buildSync } from 'esbuild';

const made = new Map<string, string>();

/**
 * Bundles a program and all it imports into one ES module for Node 24: same sources, same bytes. Once per process:
 * images are named before the update begins, and again when they are declared.
 */
export function bundle(root: string, entry: string): string {
  const path = join(root, entry);
  const text = made.get(path) ?? build(root, entry);
  made.set(path, text);
  return text;
}

function build(root: string, entry: string): string {
  const { outputFiles } = buildSync({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    write: false,
    legalComments: 'none',
    // A program that a rollback lays out has links to packages: their places are in the bundle, and must be the same.
    preserveSymlinks: true,
    // Bundled CommonJS packages ask for `require`, which an ES module has not got.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'silent',
  });
  const [output] = outputFiles;
  if (!output) throw new Error(`esbuild made nothing of ${entry}`);
  return output.text;
}
