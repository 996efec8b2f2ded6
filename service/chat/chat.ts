import { z } from 'zod';
import { metadata, pendingMessage, receipt } from '../conversation/conversation.ts';
import { chatPart } from './content-part.ts';

/**
 * The words of a chat.
 *
 * - **Question**: the user's message that an answer is asked for.
 * - **Answer**: the assistant's message to it. Its `client_message_id` is that of the question with `:answer` behind it,
 *   so a question has one answer, whoever stores it and however often.
 * - **Upstream**: who answers: an OpenAI-compatible API, by name.
 */

/** Limits of a chat. Bytes are those of JSON in UTF-8. */
export const chatLimits = {
  /** Leaves room for the name of the answer. */
  clientMessageIdLength: 190,
  historyMessages: 100,
  /** A longer answer is cut. */
  answerBytes: 768 * 1024,
  /** What a model thought aloud is kept with the answer up to this; it is sent to the client all the same. */
  keptReasoningBytes: 16 * 1024,
  /** A model that thinks aloud for longer is cut. */
  reasoningBytes: 2 * 1024 * 1024,
} as const;

/** What is passed on to the model as it is. */
export const modelParameters = z.object({
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  max_tokens: z.int().min(1).max(1_000_000).optional(),
  presence_penalty: z.number().min(-2).max(2).optional(),
  frequency_penalty: z.number().min(-2).max(2).optional(),
  seed: z.int().optional(),
  stop: z
    .union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).min(1).max(4)], {
      error: 'takes a text, or 1 to 4 of them, of 1 to 200 characters each',
    })
    .optional(),
});
export type ModelParameters = z.output<typeof modelParameters>;

export const chatRequest = z
  .strictObject({
    message: z
      .union([z.string().min(1), z.array(chatPart).min(1)], {
        error: 'takes a text, or a list of parts as OpenAI has them (text, image_url, input_audio, file); not nothing',
      })
      .meta({
        description: 'What the user says: a text, or parts as OpenAI has them (text, image_url, input_audio, file).',
      }),
    conversation_id: z.guid().optional().meta({ description: 'Left out: a conversation is begun.' }),
    continuation_id: z.guid().optional().meta({
      description: 'Instead of conversation_id: continues that conversation, or begins one where it is gone.',
    }),
    client_message_id: z.string().min(1).max(chatLimits.clientMessageIdLength).optional().meta({
      description: 'Names the message. Sent again, the model is not asked again: the answer that is there is returned.',
    }),
    include_history: z.boolean().default(true).meta({ description: 'Whether the model gets earlier messages, too.' }),
    history_limit: z.int().min(1).max(chatLimits.historyMessages).default(10).meta({
      description: 'How many messages of the thread the model gets at most, the new one included.',
    }),
    upstream: z.string().min(1).max(100).optional().meta({ description: 'Who is asked; left out: the default.' }),
    model: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'One of that upstream’s; left out: its default.' }),
    stream: z.boolean().default(false).meta({ description: 'Whether to answer with events (text/event-stream).' }),
    ...modelParameters.shape,
    metadata: metadata.default({}).meta({ description: 'Stored with the user’s message.' }),
  })
  .refine(({ conversation_id, continuation_id }) => conversation_id === undefined || continuation_id === undefined, {
    path: ['continuation_id'],
    message: 'can not be given together with conversation_id',
  });
export type ChatRequest = z.output<typeof chatRequest>;

/** Tokens as the upstream counted them. */
export const usage = z.object({
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0),
  total_tokens: z.int().min(0),
});
export type Usage = z.output<typeof usage>;

/**
 * Why an answer is no longer than it is. `length`, `content_filter`: the upstream ended it. `upstream_failed`,
 * `upstream_timeout`: it broke off. `too_long`: we cut it. `stopped`: the service was stopped. `process_ended`: the
 * service died, and this is what had been kept until then.
 */
export const incompleteReasons = [
  'length',
  'content_filter',
  'upstream_failed',
  'upstream_timeout',
  'too_long',
  'stopped',
  'process_ended',
] as const;
export type IncompleteReason = (typeof incompleteReasons)[number];

/** What is stored with an answer. `ms`, `first_token_ms`: since the question was stored. */
export const answerMetadata = z.object({
  status: z.enum(['complete', 'incomplete']),
  reason: z.enum(incompleteReasons).optional(),
  in_reply_to: z.string().meta({ description: 'The client_message_id of the question.' }),
  upstream: z.string(),
  model: z.string(),
  finish_reason: z.string().optional(),
  usage: usage.optional(),
  ms: z.int(),
  first_token_ms: z.int().optional(),
  history: z.object({ sent: z.int(), dropped: z.int() }).meta({
    description: 'Messages that the model got, and those left out of what was asked for, as it had been too much.',
  }),
  reasoning_content: z.string().optional(),
});
export type AnswerMetadata = z.output<typeof answerMetadata>;

/** The answer as it is stored; `metadata` is {@link answerMetadata}. */
export const answer = pendingMessage.extend({ seq: z.int().min(1).nullable() });
export type Answer = z.output<typeof answer>;

/** Where the question came to stand, before there is an answer. */
export const chatBegun = z.object({
  conversation_id: z.guid(),
  continuation_id: z.guid(),
  message: receipt,
  durability: z.enum(['record', 'queued']),
});
export type ChatBegun = z.output<typeof chatBegun>;

/** A piece of what the model says, or of what it thinks aloud. */
export const delta = z.object({ type: z.enum(['content', 'reasoning']), text: z.string() });
export type Delta = z.output<typeof delta>;

/** The client_message_id of the answer to that question. */
export function answerName(clientMessageId: string): string {
  return `${clientMessageId}:answer`;
}

/** Bytes of a value as JSON in UTF-8. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
