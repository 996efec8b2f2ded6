import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** A Python environment in `.kit/<name>` with the packages that the file pins; the path of its `bin`. Needs python3 with venv. */
export async function pythonEnvironment(name: string, requirements: string): Promise<string> {
  const directory = join(import.meta.dirname, '../../.kit', name);
  await execute('python3', ['-m', 'venv', directory]);
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements];
  await execute(join(directory, 'bin/python'), install);
  return join(directory, 'bin');
}

/** Runs a command to its end; what it says goes to standard error. Rejects with the remedy where there is one. */
export async function execute(command: string, args: readonly string[], cwd?: string): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 2, 2], ...(cwd === undefined ? {} : { cwd }) });
  const failed = new Promise<never>((_, reject) =>
    child.once('error', (cause) =>
      reject(new Error(`${command} can't be run: install it (Debian: apt-get install python3-venv)`, { cause })),
    ),
  );
  const [code] = await Promise.race([once(child, 'exit'), failed]);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}; what it said is above`);
}
