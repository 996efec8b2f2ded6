import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { RecordUnavailable } from '../../conversation/errors.ts';
import type { OutboxFile } from './outbox-file.ts';

/** Milliseconds that a lease lasts when its holder does not renew it, how often it does, and how often others try. */
export const leaseTimes = { term: 5_000, renewal: 1_500, look: 25 } as const;

/**
 * Makes one process of the box do a thing while the others leave it: until it gives the lease up, or has not renewed it
 * for a term. Times are those since the machine started, the same for all of its processes: setting the clock
 * moves no deadline. A deadline further away than a term is from before a restart of the machine.
 *
 * It saves work and keeps an erasure apart from the replay. The order and the "once" of the replay do not hang on it.
 */
export class OutboxLease {
  readonly #file: OutboxFile;
  readonly #name: string;
  readonly #owner: string;
  readonly #now: () => number;

  constructor(file: OutboxFile, name: string, owner: string, now: () => number = sinceStart) {
    this.#file = file;
    this.#name = name;
    this.#owner = owner;
    this.#now = now;
  }

  /** Takes it or renews it; false when another one holds it. */
  take(): Promise<boolean> {
    return this.#file.write(() => {
      const now = this.#now();
      const taken = this.#file.run(
        `insert into leases (name, owner, deadline) values (?1, ?2, ?3 + ?4)
         on conflict (name) do update set owner = excluded.owner, deadline = excluded.deadline
         where owner = excluded.owner or deadline <= ?3 or deadline > ?3 + ?4`,
        this.#name,
        this.#owner,
        now,
        leaseTimes.term,
      );
      return taken > 0;
    });
  }

  /** Whether anybody holds it. */
  isHeld(): boolean {
    const row = this.#file.first('select deadline from leases where name = ?', this.#name);
    if (row === undefined) return false;
    const { deadline } = z.object({ deadline: z.number() }).parse(row);
    const now = this.#now();
    return deadline > now && deadline <= now + leaseTimes.term;
  }

  async giveUp(): Promise<void> {
    await this.#file.write(() =>
      this.#file.run('delete from leases where name = ? and owner = ?', this.#name, this.#owner),
    );
  }
}

function sinceStart(): number {
  return Math.floor(Number(process.hrtime.bigint() / 1_000_000n));
}

/** Works while nobody else holds any of these; waits so many ms for whoever does. Throws `RecordUnavailable` after that. */
export async function whileHeld<T>(
  leases: readonly OutboxLease[],
  patience: number,
  work: () => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + patience;
  for (const lease of leases) {
    // The replay sees that it has to pause after what it has under way; no other process tells when.
    while (!(await lease.take())) {
      if (performance.now() > deadline)
        throw new RecordUnavailable({ cause: new Error('the replay of the outbox does not pause') });
      await delay(leaseTimes.look);
    }
  }
  const renewal = setInterval(() => {
    for (const lease of leases) lease.take().catch(() => false); // then it runs out, and what fails below says why
  }, leaseTimes.renewal);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    for (const lease of leases) await lease.giveUp();
  }
}
