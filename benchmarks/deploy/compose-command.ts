import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findGo, goEnvironment } from '../../scripts/setup/go.mjs';
import { openKit } from '../../scripts/setup/kit.mjs';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** The beginning of a Docker Compose command line: this machine's plugin, else one that is built from `compose/go.mod`. */
export async function composeCommand(): Promise<readonly [string, ...string[]]> {
  try {
    await run('docker', ['compose', 'version']);
    return ['docker', 'compose'];
  } catch {
    return [await build()]; // the command is there, or nothing of the benchmark would run: it lacks the plugin
  }
}

/** Builds it where that has not been done; some minutes the first time. */
async function build(): Promise<string> {
  const module = join(import.meta.dirname, 'compose');
  const kit = openKit(root, process.env);
  const { go, problem } = await findGo(kit, join(module, 'go.mod'));
  if (go === undefined) {
    throw new Error(`Docker Compose is not installed, and ${problem}. Install either: the comparison needs it.`);
  }
  const program = join(kit.directory, 'benchmark-compose', 'docker-compose');
  const path = 'github.com/docker/compose/v2';
  const version = /docker\/compose\/v2 (\S+)/.exec(await readFile(join(module, 'go.mod'), 'utf8'))?.[1];
  const flags = ['-trimpath', '-ldflags', `-s -w -X ${path}/internal.Version=${version}`];
  await run(go.command, ['build', ...flags, '-o', program, `${path}/cmd`], { cwd: module, env: goEnvironment(kit) });
  return program;
}
