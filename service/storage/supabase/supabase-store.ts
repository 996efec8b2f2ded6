import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type Caller, message, type NamedMessage, receipt, type Tier } from '../../conversation/conversation.ts';
import type {
  Appended,
  ConversationRecord,
  Extent,
  PageRequest,
  Probe,
  ThreadRead,
} from '../../conversation/conversation-store.ts';
import {
  ClientMessageIdReused,
  ConversationNotFound,
  RecordUnavailable,
  SeqConflict,
} from '../../conversation/errors.ts';
import type { SupabaseCalls, SupabaseSettings } from './supabase-calls.ts';
import { SupabaseFailure, supabaseError } from './supabase-error.ts';
import { head, notFound, SupabaseLifecycle } from './supabase-lifecycle.ts';
import { poolLimits } from './supabase-pool.ts';

// What the functions of the migrations return.
const read = z.discriminatedUnion('status', [
  notFound,
  head.extend({ status: z.literal('unchanged') }),
  head.extend({
    status: z.literal('found'),
    messages: z.array(message),
    has_earlier: z.boolean(),
    has_later: z.boolean(),
  }),
]);
const appended = z.discriminatedUnion('status', [
  notFound,
  z.object({ status: z.literal('client_message_id_reused'), client_message_id: z.string(), seq: z.number() }),
  z.object({ status: z.literal('conflict'), last_seq: z.number(), missed: z.array(message) }),
  head.extend({ status: z.literal('appended'), messages: z.array(receipt) }),
]);

/** Supabase does not take our keys: waiting does not mend that. */
export class SupabaseRefused extends Error {
  override readonly name = 'SupabaseRefused';
}

const nobodysConversation = '00000000-0000-0000-0000-000000000000';

/**
 * Conversations in PostgreSQL, through Supabase's API: one call for everything. A user's calls are made under the
 * user's own token, so that row-level security decides what there is for them.
 */
export class SupabaseStore extends SupabaseLifecycle implements ConversationRecord {
  readonly probes: readonly Probe[];

  constructor(settings: SupabaseSettings) {
    super(settings);
    const { url, publishableKey } = settings;
    this.probes = [
      { name: 'supabase', required: true, answer: (signal) => this.#askGateway(url, publishableKey, signal) },
      { name: 'database', required: true, answer: (signal) => this.#askDatabase(signal) },
      { name: 'storage', required: false, answer: (signal) => this.#askStorage(url, settings.secretKey, signal) },
    ];
  }

  tiers(): readonly Tier[] {
    return ['supabase'];
  }

  get connections(): SupabaseCalls['connections'] {
    return this.calls.connections;
  }

  async append(
    caller: Caller,
    id: string,
    messages: readonly NamedMessage[],
    expectedSeq: number | undefined,
  ): Promise<Appended> {
    const input = { conversation_id: id, messages, expected_seq: expectedSeq ?? null };
    const result = await this.calls.call(caller, 'append_messages', input, appended);
    switch (result.status) {
      case 'not_found':
        throw new ConversationNotFound();
      case 'client_message_id_reused':
        throw new ClientMessageIdReused(result.client_message_id, result.seq);
      case 'conflict':
        throw new SeqConflict(result.last_seq, result.missed);
      case 'appended': {
        const { status: _, messages: receipts, ...stored } = result;
        return { tier: 'supabase', ...stored, durability: 'record', receipts };
      }
    }
  }

  async read(caller: Caller, id: string, page: PageRequest, signal: AbortSignal): Promise<ThreadRead> {
    const result = await this.#read(caller, id, page, undefined, signal);
    if (result.messages === undefined) throw new Error('read_thread left out messages that were asked for');
    return result;
  }

  readUnlessUnchanged(caller: Caller, id: string, limit: number, known: Extent | undefined, signal: AbortSignal) {
    return this.#read(caller, id, { limit }, known, signal);
  }

  /**
   * Resolves when the API, the database and the functions in it answer; some connections are open by then. Rejects with
   * {@link SupabaseRefused}, or with the last error when `signal` is aborted.
   */
  async untilReady(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await Promise.all(
          this.probes
            .filter(({ required }) => required)
            .map((probe) => probe.answer(AbortSignal.timeout(poolLimits.total))),
        );
        return;
      } catch (error) {
        if (isRefusal(error))
          throw new SupabaseRefused('Supabase refuses the keys: are they of this project?', { cause: error });
        if (signal.aborted) throw error;
        await delay(poolLimits.untilNextTry, undefined, { signal }).catch(() => undefined); // then one last time
      }
    }
  }

  /** Lets calls that are under way finish. */
  close(): Promise<void> {
    return this.calls.close();
  }

  async #read(caller: Caller, id: string, page: PageRequest, known: Extent | undefined, signal: AbortSignal) {
    const input = {
      conversation_id: id,
      max_messages: page.limit,
      before_seq: page.before ?? null,
      after_seq: page.after ?? null,
      known_seq: known?.last_seq ?? null,
      known_cleared_seq: known?.cleared_seq ?? null,
    };
    const result = await this.calls.call(caller, 'read_thread', input, read, signal);
    if (result.status === 'not_found') throw new ConversationNotFound();
    const { status, ...thread } = result;
    return 'messages' in thread
      ? { tier: 'supabase' as const, ...thread, pending: [], confirmed: true }
      : { tier: 'supabase' as const, ...thread, messages: undefined };
  }

  async #askGateway(url: string, key: string, signal: AbortSignal): Promise<void> {
    const { status } = await this.calls.fetch(new URL('/auth/v1/health', url), { headers: { apikey: key }, signal });
    if (status !== 200)
      throw new SupabaseFailure({ status, data: null, error: { code: '', message: 'GET /auth/v1/health' } });
  }

  /** Lists the buckets: conversations go on without them. */
  async #askStorage(url: string, key: string, signal: AbortSignal): Promise<void> {
    const headers = { apikey: key, authorization: `Bearer ${key}` };
    const { status } = await this.calls.fetch(new URL('/storage/v1/bucket', url), { headers, signal });
    if (status !== 200)
      throw new SupabaseFailure({ status, data: null, error: { code: '', message: 'GET /storage/v1/bucket' } });
  }

  /** Goes through the API to a function of ours and to its tables, and finds nothing. */
  async #askDatabase(signal: AbortSignal): Promise<void> {
    const input = { conversation_id: nobodysConversation, max_messages: 1 };
    const server = { kind: 'server' as const };
    const answer = await this.calls.answer(server, 'read_thread', input, signal);
    if (answer.error !== null) throw supabaseError(answer, server);
    notFound.parse(answer.data);
  }
}

function isRefusal(error: unknown): boolean {
  const failure = error instanceof RecordUnavailable ? error.cause : error;
  return failure instanceof SupabaseFailure && (failure.status === 401 || failure.status === 403);
}
