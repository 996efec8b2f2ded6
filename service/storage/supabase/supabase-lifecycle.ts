import { z } from 'zod';
import {
  type Caller,
  type ConversationChanges,
  conversation,
  type NewConversation,
  type NewFork,
} from '../../conversation/conversation.ts';
import type {
  Continued,
  ConversationLifecycle,
  ConversationList,
  Created,
  ListRequest,
  Stored,
} from '../../conversation/conversation-lifecycle.ts';
import type { CleanedUp, ConversationUpkeep, Erased, Stats } from '../../conversation/conversation-upkeep.ts';
import { ConversationNotFound, IdempotencyKeyUsed, SeqConflict } from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import { SupabaseCalls, type SupabaseSettings } from './supabase-calls.ts';

// What the functions of the migrations return.
export const head = z.object({ conversation, expires_in_ms: z.number().nullable() });
export const notFound = z.object({ status: z.literal('not_found') });
const created = z.discriminatedUnion('status', [
  head.extend({ status: z.enum(['created', 'there']) }),
  z.object({ status: z.literal('ended') }),
]);
const continued = head.extend({ status: z.enum(['continued', 'unknown', 'expired', 'none']) });
const changed = z.discriminatedUnion('status', [
  notFound,
  head.extend({ status: z.enum(['updated', 'cleared', 'extended', 'deleted', 'undeleted']) }),
]);
const forked = z.discriminatedUnion('status', [
  notFound,
  z.object({ status: z.literal('conflict'), last_seq: z.number() }),
  head.extend({ status: z.literal('forked') }),
]);
const listed = z.object({ conversations: z.array(conversation) });
const stats = z.object({
  total_conversations: z.number(),
  total_messages: z.number(),
  expired_conversations: z.number(),
});
const cleanedUp = z.object({
  removed: z.array(z.string()),
  expired: z.number(),
  deleted: z.number(),
  rest: z.enum(['none', 'more', 'busy']),
});
const toErase = z.object({ conversation_ids: z.array(z.string()) });
const erased = z.object({ conversations: z.number() });

const tier = 'supabase' as const;
const server: Caller = { kind: 'server' };

/** The life of conversations in PostgreSQL, through Supabase's API: one call for each method, but for erasing. */
export class SupabaseLifecycle implements ConversationLifecycle, ConversationUpkeep {
  /** For whatever else is kept there. They end with this store. */
  readonly calls: SupabaseCalls;

  constructor(settings: SupabaseSettings) {
    this.calls = new SupabaseCalls(settings);
  }

  async create(caller: Caller, conversation: NewConversation, ttlSeconds: number, id?: string): Promise<Created> {
    const { title, metadata } = conversation;
    const input = { title, metadata, ttl_seconds: ttlSeconds, id: id ?? null };
    const { status, ...stored } = await this.calls.call(caller, 'create_conversation', input, created);
    if (!('conversation' in stored)) throw new IdempotencyKeyUsed();
    return { tier, ...stored, created: status === 'created' };
  }

  async continueOrCreate(
    caller: Caller,
    continuationId: string | undefined,
    { title, metadata }: NewConversation,
    ttlSeconds: number,
  ): Promise<Continued> {
    const input = { continuation_id: continuationId ?? null, title, metadata, ttl_seconds: ttlSeconds };
    const { status, ...stored } = await this.calls.call(caller, 'continue_conversation', input, continued);
    return { tier, ...stored, reason: status === 'continued' ? null : status };
  }

  async list(caller: Caller, { owner, limit, after }: ListRequest, signal: AbortSignal): Promise<ConversationList> {
    const input = {
      owner,
      max_conversations: limit + 1,
      after_created_at: after?.created_at ?? null,
      after_id: after?.id ?? null,
    };
    const { conversations } = await this.calls.call(caller, 'list_conversations', input, listed, signal);
    return { tier, conversations: conversations.slice(0, limit), has_more: conversations.length > limit };
  }

  update(caller: Caller, id: string, changes: ConversationChanges): Promise<Stored> {
    return this.#change(caller, 'update_conversation', { conversation_id: id, changes });
  }

  clear(caller: Caller, id: string): Promise<Stored> {
    return this.#change(caller, 'clear_conversation', { conversation_id: id });
  }

  extend(caller: Caller, id: string, ttlSeconds: number | null): Promise<Stored> {
    return this.#change(caller, 'extend_conversation', { conversation_id: id, ttl_seconds: ttlSeconds });
  }

  async fork(caller: Caller, id: string, { seq, ...changes }: NewFork): Promise<Stored> {
    const input = { conversation_id: id, seq: seq ?? null, changes };
    const result = await this.calls.call(caller, 'fork_conversation', input, forked);
    if (result.status === 'not_found') throw new ConversationNotFound();
    if (result.status === 'conflict') throw new SeqConflict(result.last_seq, []);
    const { status: _, ...stored } = result;
    return { tier, ...stored };
  }

  delete(caller: Caller, id: string): Promise<Stored> {
    return this.#change(caller, 'delete_conversation', { conversation_id: id });
  }

  undelete(caller: Caller, id: string): Promise<Stored> {
    const input = { conversation_id: id, within_seconds: limits.undeleteSeconds };
    return this.#change(caller, 'undelete_conversation', input);
  }

  async stats(caller: Caller, signal: AbortSignal): Promise<Stats> {
    return { tier, ...(await this.calls.call(caller, 'conversation_stats', {}, stats, signal)) };
  }

  async cleanUp(): Promise<CleanedUp> {
    const input = {
      max_conversations: limits.removedAtOnce,
      expired_seconds: limits.expiredSeconds,
      deleted_seconds: limits.undeleteSeconds,
    };
    return { tier, ...(await this.calls.call(server, 'clean_up_conversations', input, cleanedUp)) };
  }

  async eraseUser(
    caller: Caller,
    userId: string,
    onErase: (conversationIds: readonly string[]) => Promise<void> = async () => undefined,
  ): Promise<Erased> {
    for (let conversations = 0; ; ) {
      const some = { user_id: userId, max_conversations: limits.removedAtOnce };
      const { conversation_ids: ids } = await this.calls.call(caller, 'list_conversations_to_erase', some, toErase);
      if (ids.length === 0) return { tier, conversations };
      await onErase(ids);
      const these = { user_id: userId, conversation_ids: ids };
      conversations += (await this.calls.call(caller, 'erase_conversations', these, erased)).conversations;
    }
  }

  async #change(caller: Caller, name: string, input: object): Promise<Stored> {
    const result = await this.calls.call(caller, name, input, changed);
    if (result.status === 'not_found') throw new ConversationNotFound();
    const { status: _, ...stored } = result;
    return { tier, ...stored };
  }
}
