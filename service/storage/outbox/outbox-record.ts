import { z } from 'zod';
import { type Caller, conversation, message, type PendingMessage, receipt } from '../../conversation/conversation.ts';
import type { Stored } from '../../conversation/conversation-lifecycle.ts';
import type { Appended } from '../../conversation/conversation-store.ts';
import { ConversationError } from '../../conversation/errors.ts';
import type { SupabaseCalls } from '../supabase/supabase-calls.ts';
import type { QueuedConversation } from './outbox.ts';

// What the functions of the migrations return.
const stored = z.object({
  status: z.literal('stored'),
  conversation,
  expires_in_ms: z.number().nullable(),
});
const refused = z.object({ status: z.enum(['not_found', 'owner_unknown', 'client_message_id_reused']) });
const replayedConversation = z.union([stored, refused]);
const replayedMessages = z.union([
  stored.extend({ messages: z.array(receipt.extend({ seq: message.shape.seq })) }),
  refused,
]);

const codes = {
  not_found: 'conversation_not_found',
  owner_unknown: 'user_not_found',
  client_message_id_reused: 'client_message_id_reused',
} as const;

/** The record answered that it does not take this, and will not however often it is asked. */
export class ReplayRefused extends ConversationError {
  override readonly name = 'ReplayRefused';
  readonly code: string;

  constructor(code: string) {
    super(`the record refuses what was queued: ${code}`);
    this.code = code;
  }
}

const server: Caller = { kind: 'server' };

/** The record as the outbox sees it. Throws {@link ReplayRefused}, and what every call of the record throws. */
export class OutboxRecord {
  readonly #calls: Pick<SupabaseCalls, 'call'>;

  constructor(calls: Pick<SupabaseCalls, 'call'>) {
    this.#calls = calls;
  }

  async create({ head, ttlSeconds }: QueuedConversation): Promise<Stored> {
    const { id, continuation_id, user_id: owner, title, metadata, created_at } = head;
    const input = { id, continuation_id, owner, title, metadata, ttl_seconds: ttlSeconds, created_at };
    return storedOf(await this.#calls.call(server, 'replay_conversation', input, replayedConversation));
  }

  async append({ head }: QueuedConversation, messages: readonly PendingMessage[]): Promise<Appended> {
    const input = { conversation_id: head.id, owner: head.user_id, messages };
    const { messages: receipts, ...rest } = storedOf(
      await this.#calls.call(server, 'replay_messages', input, replayedMessages),
    );
    return { ...rest, durability: 'record', receipts };
  }
}

function storedOf<T extends z.output<typeof stored>>(answer: T | z.output<typeof refused>) {
  if (answer.status !== 'stored') throw new ReplayRefused(codes[answer.status]);
  const { status: _, ...rest } = answer;
  return { tier: 'supabase' as const, ...rest };
}
