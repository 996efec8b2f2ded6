import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import {
  conversation,
  message,
  newConversation,
  newMessages,
  pendingMessage,
  receipt,
} from '../conversation/conversation.ts';
import type { ConversationService } from '../conversation/conversation-service.ts';
import { ConversationNotFound } from '../conversation/errors.ts';
import { limits } from '../conversation/limits.ts';
import { type App, answeredBy, type RequestContext } from './environment.ts';
import { conversationReply, problems, threadReply } from './replies.ts';
import { expectedSeq, jsonBody, query } from './request-input.ts';

const conversationBody = conversation.meta({ id: 'Conversation' });

const threadBody = conversation
  .extend({
    messages: z.array(message.meta({ id: 'Message' })).meta({ description: 'Oldest first.' }),
    has_earlier: z.boolean().meta({ description: 'There are messages before these: ask with `before`.' }),
    has_later: z.boolean().meta({ description: 'There are messages after these: ask with `after`.' }),
    pending: z.array(pendingMessage.meta({ id: 'PendingMessage' })).meta({
      description: 'Acknowledged while the database was away, and not stored there yet: behind the newest message.',
    }),
  })
  .meta({ id: 'Thread' });

const appendBody = z.strictObject({ messages: newMessages }).meta({ id: 'Append' });

const appendedBody = z
  .object({
    conversation_id: z.uuid(),
    last_seq: z.int(),
    durability: z.enum(['record', 'queued']).meta({
      description:
        '`record`: the messages are where they are kept. `queued`: they wait safely on this box until the database is back.',
    }),
    messages: z.array(receipt.meta({ id: 'Receipt' })).meta({ description: 'In the order in which they were sent.' }),
  })
  .meta({ id: 'Appended' });

const seq = z.coerce
  .number()
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const pageQuery = z
  .strictObject({
    limit: z.coerce.number().int().min(1).max(limits.messagesPerPage).default(limits.messagesPerPage).meta({
      description: 'How many messages at most. A page holds fewer where it would get too large.',
    }),
    before: seq.optional().meta({ description: 'The newest messages before this seq.' }),
    after: seq.optional().meta({ description: 'The oldest messages after this seq.' }),
  })
  .refine(({ before, after }) => before === undefined || after === undefined, {
    path: ['after'],
    message: 'can not be given together with before',
  });

const idParameter = z.object({ id: z.uuid().meta({ description: 'The id of the conversation.' }) });
const tags = ['conversations'];

const create = createRoute({
  method: 'post',
  path: '/v1/conversations',
  tags,
  summary: 'Begin a conversation',
  request: {
    body: {
      required: true,
      content: { 'application/json': { schema: newConversation.meta({ id: 'NewConversation' }) } },
    },
  },
  responses: {
    201: conversationReply(conversationBody, 'The conversation, without messages.'),
    202: conversationReply(
      conversationBody,
      'Queued: the database is away. It can be used at once, and is stored there later.',
    ),
    ...problems(400, 401, 413, 415, 422, 503),
  },
});

const read = createRoute({
  method: 'get',
  path: '/v1/conversations/{id}',
  tags,
  summary: 'Read a thread',
  description: 'The conversation and a page of its messages: the newest, if nothing else is asked for.',
  request: { params: idParameter, query: pageQuery },
  responses: { 200: threadReply(threadBody, 'The thread.'), ...problems(400, 401, 404, 503) },
});

const append = createRoute({
  method: 'post',
  path: '/v1/conversations/{id}/messages',
  tags,
  summary: 'Append messages',
  description:
    'All or none, behind every message before them. A message whose `client_message_id` is there already stays as it is: ' +
    'when there was no reply, send the same again.',
  request: {
    params: idParameter,
    headers: z.object({
      'if-match': z
        .string()
        .optional()
        .meta({ description: 'The last seq that you know: 409 if there is a later one.' }),
    }),
    body: { required: true, content: { 'application/json': { schema: appendBody } } },
  },
  responses: {
    201: conversationReply(appendedBody, 'Appended.'),
    200: conversationReply(appendedBody, 'Every one of the messages was there already.'),
    202: conversationReply(
      appendedBody,
      'Queued: the database is away. Acknowledged all the same; they get their seq later.',
    ),
    ...problems(400, 401, 404, 409, 413, 415, 422, 503),
  },
});

export function addConversationRoutes(app: App, conversations: ConversationService): void {
  app.openAPIRegistry.registerPath(create);
  app.post(create.getRoutingPath(), async (c) => {
    const input = await jsonBody(c, newConversation);
    const stored = await conversations.create(c.get('caller'), input);
    answeredBy(c, stored.tier);
    c.header('location', `/v1/conversations/${stored.conversation.id}`);
    c.header('etag', etag(stored.conversation.last_seq));
    return c.json(stored.conversation, stored.tier === 'outbox' ? 202 : 201);
  });

  app.openAPIRegistry.registerPath(read);
  app.get(read.getRoutingPath(), async (c) => {
    const { limit, before, after } = query(c, pageQuery);
    const page = { limit, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
    const thread = await conversations.read(c.get('caller'), idOf(c), page, c.req.raw.signal);
    const { messages, has_earlier, has_later, pending } = thread;
    answeredBy(c, thread.tier);
    c.header('x-storage-confirmed', thread.confirmed ? 'yes' : 'no');
    c.header('etag', etag(thread.conversation.last_seq));
    return c.json({ ...thread.conversation, messages, has_earlier, has_later, pending }, 200);
  });

  app.openAPIRegistry.registerPath(append);
  app.post(append.getRoutingPath(), async (c) => {
    const id = idOf(c);
    const expected = expectedSeq(c);
    const { messages } = await jsonBody(c, appendBody);
    const appended = await conversations.append(c.get('caller'), id, messages, expected);
    const { conversation: head, receipts, durability } = appended;
    answeredBy(c, appended.tier);
    c.header('etag', etag(head.last_seq));
    const isNew = receipts.some(({ duplicate }) => !duplicate);
    const body = {
      conversation_id: head.id,
      last_seq: head.last_seq,
      durability,
      messages: receipts,
    };
    return c.json(body, durability === 'queued' ? 202 : isNew ? 201 : 200);
  });
}

/** What is no id is the id of nothing. */
function idOf(c: RequestContext): string {
  const id = z.guid().safeParse(c.req.param('id'));
  if (!id.success) throw new ConversationNotFound();
  return id.data.toLowerCase();
}

/** For `If-Match` of the next append. */
function etag(lastSeq: number): string {
  return `"${lastSeq}"`;
}
