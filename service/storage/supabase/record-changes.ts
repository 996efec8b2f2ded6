import { z } from 'zod';
import type { SupabaseCalls } from './supabase-calls.ts';

/** A conversation that has changed in the record, and how it is there now: null when it is gone. */
const recordChange = z.object({
  conversation_id: z.guid(),
  /** More than messages that were appended. */
  altered: z.boolean(),
  /** Messages were changed or removed by hand. */
  rewritten: z.boolean(),
  conversation: z
    .object({
      last_seq: z.int(),
      cleared_seq: z.int(),
      ttl_seconds: z.int().nullable(),
      updated_at: z.iso.datetime({ offset: true }),
      accessed_at: z.iso.datetime({ offset: true }),
      deleted_at: z.iso.datetime({ offset: true }).nullable(),
    })
    .nullable(),
});
export type RecordChange = z.output<typeof recordChange>;

/** `complete` is false when anything may have changed since the cursor; then there are no changes in it. */
const recordChanges = z.object({ cursor: z.string(), complete: z.boolean(), changes: z.array(recordChange) });

/** Which conversations have changed in the record, whoever changed them. */
export class RecordChanges {
  readonly #calls: SupabaseCalls;
  #cursor: string | null = null;

  constructor(calls: SupabaseCalls) {
    this.#calls = calls;
  }

  /** Since the last call that succeeded. Throws `RecordUnavailable`, or `CallerGone` when `signal` is aborted. */
  async next(signal: AbortSignal): Promise<{ readonly complete: boolean; readonly changes: readonly RecordChange[] }> {
    const input = { known_cursor: this.#cursor };
    const { cursor, ...answer } = await this.#calls.call(
      { kind: 'server' },
      'changes_since',
      input,
      recordChanges,
      signal,
    );
    this.#cursor = cursor;
    return answer;
  }
}
