import { z } from 'zod';
import { conversation, message } from '../../conversation/conversation.ts';
import { limits } from '../../conversation/limits.ts';

/** The protocol that both sides name in `Sec-WebSocket-Protocol`; a client that names none speaks it all the same. */
export const subprotocol = 'conversation-kit.v1';

/** Why the service closes a socket, besides the codes of the WebSocket protocol itself. */
export const closeCodes = {
  /** Text only. */
  unsupportedData: 1003,
  /** The service stops: connect again, another one answers. */
  restart: 1012,
  /** The token has ended: connect again with a new one. */
  authenticateAgain: 4401,
  /** The client does not take what it is sent. */
  slowReader: 4408,
  /** The client sends too much. */
  tooManyFrames: 4429,
} as const;

const conversationId = z.uuid().toLowerCase();
const seq = z.int().min(0).max(limits.seq);

/** What a client sends. */
export const clientMessage = z
  .discriminatedUnion('type', [
    z
      .strictObject({
        type: z.literal('subscribe'),
        conversation_id: conversationId,
        after: seq.optional().meta({
          description: 'The last seq that the client has: messages behind it are sent. Left out: only new ones.',
        }),
      })
      .meta({
        description: 'Answered by `subscribed`, or by an `error`. Once more for the same one: begins there anew.',
      }),
    z
      .strictObject({ type: z.literal('unsubscribe'), conversation_id: conversationId })
      .meta({ description: 'Answered by `unsubscribed`; nothing of that conversation comes behind it.' }),
    z
      .strictObject({ type: z.literal('authenticate'), token: z.string().min(1).max(8192) })
      .meta({ description: 'A new token of the same user, before the old one ends. Answered by `authenticated`.' }),
    z.strictObject({ type: z.literal('ping') }).meta({ description: 'Answered by `pong`.' }),
  ])
  .meta({ description: 'What a client sends through a WebSocket.' });
export type ClientMessage = z.output<typeof clientMessage>;

/** What the service sends. */
export const serverMessage = z
  .discriminatedUnion('type', [
    z
      .object({ type: z.literal('subscribed'), conversation_id: z.guid(), conversation, after: seq })
      .meta({ description: 'The conversation as it is; messages behind `after` follow, each once, in their order.' }),
    z.object({ type: z.literal('unsubscribed'), conversation_id: z.guid() }),
    z.object({ type: z.literal('message'), conversation_id: z.guid(), message }).meta({
      description: 'A message of the conversation. The next one has the next seq, unless `cleared` comes between.',
    }),
    z
      .object({ type: z.literal('changed'), conversation_id: z.guid(), conversation })
      .meta({ description: 'Its title, its metadata or how long it lives are others.' }),
    z
      .object({ type: z.literal('cleared'), conversation_id: z.guid(), cleared_seq: seq })
      .meta({ description: 'Messages up to `cleared_seq` are gone, also those that were not sent yet.' }),
    z
      .object({ type: z.literal('deleted'), conversation_id: z.guid() })
      .meta({ description: 'It was deleted or has expired. The subscription has ended.' }),
    z.object({ type: z.literal('authenticated'), expires_at: z.iso.datetime().nullable() }),
    z.object({ type: z.literal('pong') }),
    z
      .object({
        type: z.literal('error'),
        code: z.string(),
        detail: z.string(),
        conversation_id: z.string().optional(),
        last_seq: z.int().optional(),
      })
      .meta({
        description:
          'Codes are those of problem documents. With a `conversation_id`: there is no subscription to it, or not any more.',
      }),
  ])
  .meta({ description: 'What the service sends through a WebSocket.' });
export type ServerMessage = z.output<typeof serverMessage>;
