import { access, constants } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** One thing looked at; `error` says why it is unhealthy. Times are milliseconds. */
export interface Check {
  readonly name: string;
  readonly status: 'healthy' | 'unhealthy';
  readonly response_time_ms: number;
  readonly error?: string;
}

export interface Health {
  readonly status: 'healthy' | 'unhealthy';
  readonly checks: readonly Check[];
}

const longest = 2_000;

/** Runs the checks side by side, each for 2 s at most; one that throws is unhealthy. */
export async function checkHealth(checks: Readonly<Record<string, () => Promise<unknown>>>): Promise<Health> {
  const done = await Promise.all(Object.entries(checks).map(([name, look]) => check(name, look)));
  return { status: done.every(({ status }) => status === 'healthy') ? 'healthy' : 'unhealthy', checks: done };
}

/** Throws when files can't be written there. */
export async function checkWritable(directory: string): Promise<void> {
  await access(directory, constants.W_OK);
}

async function check(name: string, look: () => Promise<unknown>): Promise<Check> {
  const started = performance.now();
  const deadline = new AbortController();
  const took = () => Math.round((performance.now() - started) * 10) / 10;
  try {
    await Promise.race([
      look(),
      delay(longest, undefined, { signal: deadline.signal }).then(() => {
        throw new Error(`no answer within ${longest} ms`);
      }),
    ]);
    return { name, status: 'healthy', response_time_ms: took() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { name, status: 'unhealthy', response_time_ms: took(), error: reason };
  } finally {
    deadline.abort();
  }
}
