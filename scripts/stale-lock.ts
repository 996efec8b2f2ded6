import { existsSync, globSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { $ } from 'zx';

const lock = z.object({ pid: z.number(), hostname: z.string(), timestamp: z.string() });

/** Somebody else updates the stack right now; nothing was changed by us. */
export class UpdateUnderWay extends Error {
  override readonly name = 'UpdateUnderWay';
}

/**
 * A killed update leaves its lock in a file backend, and nobody else may take that away but a person. Where the process
 * that holds it was one of this machine and is gone, takes it away and says so; where it still runs, throws.
 */
export async function removeStaleLock(stack: string): Promise<void> {
  const backend = process.env.PULUMI_BACKEND_URL;
  if (!backend?.startsWith('file://')) return; // others know by themselves who holds a stack
  const holders = locksOf(fileURLToPath(backend), stack);
  if (holders.length === 0) return;
  const running = holders.find(({ pid, hostname: host }) => host !== hostname() || existsSync(`/proc/${pid}`));
  if (running) {
    throw new UpdateUnderWay(
      `Stack ${stack} is being updated by process ${running.pid} on ${running.hostname} since ${running.timestamp}. ` +
        `Wait for it. If it is gone: npm run pulumi -- cancel --yes -s ${stack}`,
    );
  }
  await $({ quiet: true })`pulumi cancel --yes -s ${stack}`;
  console.error(
    `The last update of stack ${stack} was killed midway; its lock is taken away, and this one goes on from there.`,
  );
}

function locksOf(backend: string, stack: string): z.output<typeof lock>[] {
  const files = globSync(join(backend, '.pulumi', 'locks', '**', stack, '*.json'));
  return files.map((file) => lock.parse(JSON.parse(readFileSync(file, 'utf8'))));
}
