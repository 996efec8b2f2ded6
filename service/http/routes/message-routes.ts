import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { message, newMessages, pendingMessage, receipt } from '../../conversation/conversation.ts';
import type { ConversationService } from '../../conversation/conversation-service.ts';
import { limits } from '../../conversation/limits.ts';
import { conversationBody, describe, idOf, idParameter } from '../conversation-resource.ts';
import type { App } from '../environment.ts';
import { conversationReply, problems, threadReply } from '../replies.ts';
import {
  expectedSeq,
  idempotencyHeader,
  idempotencyKey,
  integerParameter,
  jsonBody,
  query,
  seqParameter,
} from '../request-input.ts';

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

const listBody = z
  .object({
    conversation_id: z.uuid(),
    last_seq: z.int(),
    messages: z.array(message.meta({ id: 'Message' })).meta({ description: 'In the order that was asked for.' }),
    has_more: z.boolean().meta({
      description: 'There are more: ask with the last seq of these as `after` (asc) or as `before` (desc).',
    }),
    pending: z.array(pendingMessage.meta({ id: 'PendingMessage' })).meta({
      description: 'Acknowledged while the database was away, and not stored there yet: behind the newest message.',
    }),
  })
  .meta({ id: 'MessageList' });

const listQuery = z.strictObject({
  after: seqParameter.optional().meta({ description: 'Only messages after this seq.' }),
  before: seqParameter.optional().meta({ description: 'Only messages before this seq.' }),
  limit: integerParameter(1, limits.messagesPerPage).default(limits.messagesPerPage).meta({
    description: 'How many messages at most. A page holds fewer where it would get too large.',
  }),
  order: z
    .enum(['asc', 'desc'])
    .default('asc')
    .meta({ description: '`asc`: from the oldest on; `desc`: from the newest.' }),
});

const tags = ['messages'];

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
    headers: idempotencyHeader('Names the messages that have no `client_message_id`: `<key>:0`, `<key>:1` …').extend({
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

const list = createRoute({
  method: 'get',
  path: '/v1/conversations/{id}/messages',
  tags,
  summary: 'List messages',
  request: { params: idParameter, query: listQuery },
  responses: { 200: threadReply(listBody, 'A page of the messages.'), ...problems(400, 401, 404, 503) },
});

const clear = createRoute({
  method: 'delete',
  path: '/v1/conversations/{id}/messages',
  tags,
  summary: 'Remove all messages, for good',
  description: 'The next message gets the seq behind the last one that there was.',
  request: { params: idParameter },
  responses: {
    200: conversationReply(conversationBody, 'The conversation, with its new `cleared_seq`.'),
    ...problems(401, 404, 503),
  },
});

export function addMessageRoutes(app: App, conversations: ConversationService): void {
  app.openAPIRegistry.registerPath(append);
  app.post(append.getRoutingPath(), async (c) => {
    const id = idOf(c);
    const expected = expectedSeq(c);
    const key = idempotencyKey(c);
    const { messages } = await jsonBody(c, key === undefined ? appendBody : namedBy(key));
    const appended = await conversations.append(c.get('caller'), id, messages, expected);
    const { conversation: head, receipts, durability } = appended;
    describe(c, appended);
    const isNew = receipts.some(({ duplicate }) => !duplicate);
    const body = { conversation_id: head.id, last_seq: head.last_seq, durability, messages: receipts };
    return c.json(body, durability === 'queued' ? 202 : isNew ? 201 : 200);
  });

  app.openAPIRegistry.registerPath(list);
  app.get(list.getRoutingPath(), async (c) => {
    const { after, before, ...rest } = query(c, listQuery);
    const range = { ...rest, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
    const found = await conversations.messages(c.get('caller'), idOf(c), range, c.req.raw.signal);
    const { conversation: head, messages, has_more, pending } = found;
    describe(c, found);
    c.header('x-storage-confirmed', found.confirmed ? 'yes' : 'no');
    return c.json({ conversation_id: head.id, last_seq: head.last_seq, messages, has_more, pending }, 200);
  });

  app.openAPIRegistry.registerPath(clear);
  app.delete(clear.getRoutingPath(), async (c) => {
    const stored = await conversations.clear(c.get('caller'), idOf(c));
    describe(c, stored);
    return c.json(stored.conversation, 200);
  });
}

/** Messages without a name get one from the key; no two may have the same then, either. */
function namedBy(key: string) {
  return appendBody.transform(({ messages }, context) => {
    const named = messages.map((each, index) => ({
      ...each,
      client_message_id: each.client_message_id ?? `${key}:${index}`,
    }));
    for (const { path, message } of newMessages.safeParse(named).error?.issues ?? []) {
      context.addIssue({ code: 'custom', path: ['messages', ...path], message });
    }
    return { messages: named };
  });
}
