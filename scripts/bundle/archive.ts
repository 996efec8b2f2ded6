import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** A folder, and what of it goes into an archive, under the same paths. */
export interface Content {
  readonly folder: string;
  readonly paths: readonly string[];
}

/** The same content is the same bytes: sorted, without the builder's clock, accounts and umask. */
export function tarCommand(contents: readonly Content[], leftOut: readonly string[] = []): [string, ...string[]] {
  return [
    'tar',
    ...['--create', '--format=gnu', '--sort=name', '--mtime=@946684800', '--owner=0', '--group=0', '--numeric-owner'],
    ...[
      '--mode=u=rwX,go=rX',
      '--hard-dereference',
      '--anchored',
      '--no-wildcards',
      ...leftOut.map((path) => `--exclude=${path}`),
    ],
    ...contents.flatMap(({ folder, paths }) => ['-C', folder, ...paths]),
  ];
}

/** What a program prints, while it runs. `ended` rejects with its last words where it fails. */
export function output(
  [command, ...args]: readonly [string, ...string[]],
  { signal, env = process.env }: { signal: AbortSignal; env?: NodeJS.ProcessEnv },
): { stream: Readable; ended: Promise<void> } {
  const child = spawn(command, args, { signal, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = Promise.all([once(child, 'close'), text(child.stderr)]).then(([[code, killedBy], said]) => {
    if (code === 0) return;
    throw new Error(`${command} ended with ${killedBy ?? `exit code ${code}`}: ${said.trim().slice(-2000)}`);
  });
  return { stream: child.stdout, ended };
}
