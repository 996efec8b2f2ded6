import { z } from 'zod';
import type { Caller } from '../../conversation/conversation.ts';
import { CallerRefused, UnknownUser } from '../../conversation/errors.ts';
import type { Imported, ImportTarget } from '../../conversation/import-target.ts';
import type { ExportedConversation, ExportedMessage } from '../../conversation/transfer-format.ts';
import type { SupabaseCalls } from './supabase-calls.ts';

const imported = z.discriminatedUnion('status', [
  z.object({ status: z.literal('unknown_user') }),
  z.object({ status: z.literal('taken') }),
  z.object({ status: z.literal('conflict'), seq: z.int() }),
  z.object({ status: z.literal('gap'), seq: z.int(), last_seq: z.int() }),
  z.object({
    status: z.literal('imported'),
    created: z.boolean(),
    imported: z.int(),
    unchanged: z.int(),
    last_seq: z.int(),
  }),
]);

/** Conversations that come back into PostgreSQL: one call for some messages of one of them. */
export class SupabaseImport implements ImportTarget {
  readonly #calls: SupabaseCalls;

  constructor(calls: SupabaseCalls) {
    this.#calls = calls;
  }

  async importMessages(
    caller: Caller,
    owner: string | null,
    { last_seq: _, ...conversation }: ExportedConversation,
    messages: readonly ExportedMessage[],
    ttlSeconds: number,
  ): Promise<Imported> {
    const input = { conversation: { ...conversation, ttl_seconds: ttlSeconds }, messages };
    const done =
      caller.kind === 'user'
        ? await this.#calls.call(caller, 'import_messages', input, imported)
        : await this.#calls.call(caller, 'import_messages_for', { owner, ...input }, imported);
    if (done.status !== 'unknown_user') return done;
    if (caller.kind === 'server') throw new UnknownUser();
    throw new CallerRefused({ cause: new Error('the user that the token is for was deleted') });
  }
}
