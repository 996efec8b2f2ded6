import { z } from 'zod';

/**
 * Words.
 *
 * - **conversation**: a head (title, owner, expiry) and its messages in one order.
 * - **message**: what one role said. Its `seq` is its place in the conversation: 1, 2, 3 … without gap or duplicate.
 * - **thread**: a conversation with a page of its messages, oldest first.
 * - **record**: the store that has the truth: Supabase, where it is configured. Acknowledged means: the record has it.
 * - **hot copy**: the newest messages of a conversation in Redis. A copy that may not be whole or up to date is not served.
 * - **tier**: the store that gave an answer.
 * - **caller**: who asks: a user, who sees the own rows only, or the server itself.
 *
 * The shapes below are those of the API, of the record's functions and of the hot copies: one parser at every edge.
 */
export type Tier = 'redis' | 'supabase' | 'memory';

export type Caller =
  | { readonly kind: 'server' }
  | {
      readonly kind: 'user';
      readonly id: string;
      /** The user's own token: what the record lets through is decided by row-level security, not here. */
      readonly token: string;
    };

/** Most messages in one append and in one page. */
export const pageLimit = 100;
const maxIdLength = 200;
const maxTitleLength = 500;

/** Text that PostgreSQL and every client can hold: no NUL, no half of a surrogate pair. */
const text = z.string().refine((value) => value.isWellFormed() && !value.includes('\0'), {
  error: 'must be well-formed Unicode without NUL',
});

const jsonDepth = 32;
const json: z.ZodType<unknown> = z.unknown().superRefine((value, context) => {
  const fault = jsonFault(value, jsonDepth);
  if (fault) context.addIssue({ code: 'custom', message: fault });
});
const jsonObject = z.record(text, json);

/** Why a value would not survive the way to the record and back; undefined when it would. */
function jsonFault(value: unknown, depth: number): string | undefined {
  if (depth < 0) return `must not be nested deeper than ${jsonDepth} levels`;
  if (typeof value === 'string')
    return text.safeParse(value).success ? undefined : 'must be well-formed Unicode without NUL';
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return 'must not contain integers beyond 2^53; send them as text';
  }
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const fault = jsonFault(key, depth) ?? jsonFault(member, depth - 1);
    if (fault) return fault;
  }
  return undefined;
}

export const roles = ['user', 'assistant', 'system', 'tool'] as const;
export const metadataSchema = jsonObject;
const contentPart = z.looseObject({ type: text.min(1).max(100) }).and(jsonObject);
const content = z.union([text, z.array(contentPart).min(1).max(1000)], {
  error: 'must be text, or an array of parts with a type',
});

export const newMessageSchema = z.strictObject({
  /** Chosen by the client; the same one again is the same message. */
  client_message_id: text.min(1).max(maxIdLength),
  role: z.enum(roles),
  content,
  metadata: metadataSchema.default({}),
});
export type NewMessage = z.output<typeof newMessageSchema>;

export const messageSchema = z.object({
  seq: z.int().positive(),
  id: z.uuid(),
  client_message_id: z.string(),
  role: z.enum(roles),
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]),
  metadata: z.record(z.string(), z.unknown()),
  created_at: z.string(),
});
export type Message = z.output<typeof messageSchema>;

export const conversationSchema = z.object({
  id: z.uuid(),
  user_id: z.uuid().nullable(),
  continuation_id: z.string(),
  title: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  last_seq: z.int().nonnegative(),
  created_at: z.string(),
  updated_at: z.string(),
  expires_at: z.string(),
});
export type Conversation = z.output<typeof conversationSchema>;

export const newConversationSchema = z.strictObject({
  title: text.max(maxTitleLength).nullable().default(null),
  metadata: metadataSchema.default({}),
});
export type NewConversation = z.output<typeof newConversationSchema>;

export const threadSchema = z.object({ conversation: conversationSchema, messages: z.array(messageSchema) });
export type Thread = z.output<typeof threadSchema>;

/** Which messages: the newest `limit`, or those next to a `seq`. Both borders are exclusive. */
export interface Page {
  readonly limit: number;
  readonly before?: number | undefined;
  readonly after?: number | undefined;
}

export const appendedMessageSchema = messageSchema.extend({ duplicate: z.boolean() });
export const appendOutcomeSchema = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('appended'),
    /** `last_seq` before this append. */
    previous_seq: z.int().nonnegative(),
    conversation: conversationSchema,
    messages: z.array(appendedMessageSchema),
  }),
  /** `expected_seq` was not the newest: these messages (100 at most) the caller has not seen. Nothing was written. */
  z.object({ outcome: z.literal('conflict'), last_seq: z.int(), messages: z.array(messageSchema) }),
  z.object({ outcome: z.literal('not_found') }),
]);
export type AppendOutcome = z.output<typeof appendOutcomeSchema>;

/** True for what the caller may see. The record decides by itself; this is for copies of it. */
export function mayRead(caller: Caller, conversation: Conversation): boolean {
  return caller.kind === 'server' || conversation.user_id === caller.id;
}

export function isExpired(conversation: Conversation, now: number): boolean {
  return Date.parse(conversation.expires_at) <= now;
}
