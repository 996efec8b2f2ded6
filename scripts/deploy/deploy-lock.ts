import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { acquireLock } from '../setup/lock.mjs';

/** Held by this process, and by whoever it hands the open file on to. */
export type DeployLock = Awaited<ReturnType<typeof acquireLock>>;

/**
 * One deploy, rollback or `npm run up` per stack and checkout at a time. Throws, naming it, while another one runs. Where that was killed and the
 * update that it had begun still runs, waits for its end.
 */
export async function lockDeploys(stack: string, signal: AbortSignal): Promise<DeployLock> {
  const folder = join('.kit', 'deploys');
  mkdirSync(folder, { recursive: true });
  const refusal = new AbortController();
  return acquireLock(join(folder, `${stack}.lock`), {
    command: `an update of stack ${stack}`,
    signal: AbortSignal.any([signal, refusal.signal]),
    onWait: (holder) => {
      if (holder && !existsSync(`/proc/${holder.pid}`)) {
        console.error(
          `Process ${holder.pid}, which deployed, was killed, and the update that it had begun still runs: waiting for its end.`,
        );
        return;
      }
      const by = holder ? `process ${holder.pid}, since ${holder.since}` : 'another process';
      refusal.abort(
        new Error(`Stack ${stack} is being deployed by ${by}. Wait for its end, then run the same command again.`),
      );
    },
  });
}
