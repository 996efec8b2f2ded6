import { z } from 'zod';
import { limits } from './limits.ts';

/**
 * The words of this service, which mean the same in SQL, in Redis, in the stores and in the API. Fields have the same
 * names there, too: a message is never renamed on its way.
 *
 * - **Conversation**: what belongs together under one id; has an owner (a user, or the server itself) and a time to live
 *   that begins anew when it is read or written.
 * - **Message**: what one side said. Its `seq` is its place: 1, 2, 3 … without gap or duplicate in each conversation, the
 *   same for every reader. Its `client_message_id` is its name: sent twice, it is there once.
 * - **Thread**: a conversation with a run of its messages.
 * - **Record**: where a message is when it is acknowledged. With the backends `supabase` and `dual` that is PostgreSQL
 *   behind Supabase.
 * - **Ended**: deleted or expired. It is not found any more, by anybody; it is there until it is cleaned up.
 * - **Hot copy**: the newest part of a thread in Redis. It may be missing; it is never wrong: whoever can't prove that it
 *   fits the record throws it away.
 * - **Outbox**: a file on this box where acknowledged messages wait while the record is away. They are **queued**: they
 *   have no seq yet, and get one when they are replayed into the record, in their order and exactly once.
 * - **Tier**: what answered: `redis` (the hot copy, or Redis as the record), `supabase`, `memory`, `outbox`.
 */

/** Who said it. */
export const role = z.enum(['user', 'assistant', 'system', 'tool']);
export type Role = z.output<typeof role>;

/** One piece of a message that is more than a text: what it is says `type`, what else it has depends on that. */
const part = z.looseObject({ type: z.string().min(1).max(100) });

/** A text, or typed parts. */
export const content = z.union([z.string(), z.array(part)], {
  error: 'takes a text, or a list of parts: objects with a type of 1 to 100 characters',
});
export type Content = z.output<typeof content>;

/** Whatever the client wants to find again; the service does not look into it. */
export const metadata = z.record(z.string(), z.unknown());
export type Metadata = z.output<typeof metadata>;

const seq = z.int().min(0);
export const timestamp = z.iso.datetime({ offset: true });

/** The conversation that another one began with, up to this seq. That one may be gone by now. */
const forkedFrom = z.object({ conversation_id: z.guid(), seq });

/**
 * A conversation as it is stored. Times are ISO 8601 with an offset; `last_seq` 0 means that there was never a message.
 * Messages up to `cleared_seq` were cleared; the next one gets the seq behind `last_seq` all the same. `deleted_at` is
 * set while it can be undeleted.
 */
export const conversation = z.object({
  id: z.guid(),
  user_id: z.guid().nullable(),
  continuation_id: z.guid(),
  title: z.string().nullable(),
  metadata,
  last_seq: seq,
  cleared_seq: seq,
  forked_from: forkedFrom.nullable(),
  created_at: timestamp,
  updated_at: timestamp,
  accessed_at: timestamp,
  expires_at: timestamp.nullable(),
  deleted_at: timestamp.nullable(),
});
export type Conversation = z.output<typeof conversation>;

/** A message as it is stored. */
export const message = z.object({
  seq: z.int().min(1),
  client_message_id: z.string(),
  role,
  content,
  metadata,
  created_at: timestamp,
});
export type Message = z.output<typeof message>;

/** A message that was acknowledged and is not in the record yet, so that it has no seq. */
export const pendingMessage = message.omit({ seq: true });
export type PendingMessage = z.output<typeof pendingMessage>;

/** A conversation with a run of its messages, oldest first, and whether it has more on either side of them. */
export interface Thread {
  readonly conversation: Conversation;
  readonly messages: readonly Message[];
  readonly has_earlier: boolean;
  readonly has_later: boolean;
}

/** What begins a conversation. */
export const newConversation = z.strictObject({
  title: z.string().min(1).max(limits.titleLength).nullable().default(null),
  metadata: metadata.default({}),
});
export type NewConversation = z.output<typeof newConversation>;

/** What may be changed of a conversation; what is left out stays. Metadata are replaced as a whole. */
export const conversationChanges = z.strictObject({
  title: newConversation.shape.title.unwrap().optional(),
  metadata: metadata.optional(),
});
export type ConversationChanges = z.output<typeof conversationChanges>;

/** What begins a fork: the last seq that it takes over (all messages, if left out), and its title (that of the source). */
export const newFork = z.strictObject({
  seq: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
  title: newConversation.shape.title.unwrap().optional(),
});
export type NewFork = z.output<typeof newFork>;

/** A message to append. Without a `client_message_id` it gets one, and sending it again appends it again. */
export const newMessage = z.strictObject({
  client_message_id: z.string().min(1).max(limits.clientMessageIdLength).optional(),
  role,
  content,
  metadata: metadata.default({}),
});

/** Messages to append in this order, all or none. */
export const newMessages = z
  .array(newMessage)
  .min(1)
  .max(limits.messagesPerAppend)
  .superRefine((messages, context) => {
    const seen = new Set<string>();
    for (const [index, { client_message_id: name }] of messages.entries()) {
      if (name === undefined) continue;
      if (seen.has(name)) {
        const path = [index, 'client_message_id'];
        context.addIssue({ code: 'custom', path, message: 'is that of an earlier message in this request' });
      }
      seen.add(name);
    }
  });
export type NewMessages = z.output<typeof newMessages>;

/** A message to append that has its name. */
export interface NamedMessage {
  readonly client_message_id: string;
  readonly role: Role;
  readonly content: Content;
  readonly metadata: Metadata;
}

/**
 * Where an appended message came to stand; `seq` is null while it waits in the outbox. `duplicate`: it was there
 * already, and stayed as it was.
 */
export const receipt = z.object({
  client_message_id: z.string(),
  seq: z.int().min(1).nullable(),
  created_at: timestamp,
  duplicate: z.boolean(),
});
export type Receipt = z.output<typeof receipt>;

export const tiers = ['redis', 'supabase', 'memory', 'outbox'] as const;
export type Tier = (typeof tiers)[number];

/** Who asks. A user's token goes with it: the record decides by that token what the user may see. */
export type Caller =
  | { readonly kind: 'server' }
  | { readonly kind: 'user'; readonly id: string; readonly token: string };
