import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import {
  conversation,
  conversationChanges,
  message,
  newConversation,
  pendingMessage,
} from '../../conversation/conversation.ts';
import type { ConversationService } from '../../conversation/conversation-service.ts';
import { limits } from '../../conversation/limits.ts';
import { decodeCursor, encodeCursor } from '../../conversation/list-cursor.ts';
import { conversationBody, describe, describeNew, idOf, idParameter } from '../conversation-resource.ts';
import { type App, answeredBy } from '../environment.ts';
import { conversationReply, problems, storedReply, threadReply } from '../replies.ts';
import {
  idempotencyHeader,
  idempotencyKey,
  integerParameter,
  jsonBody,
  query,
  seqParameter,
} from '../request-input.ts';

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

const listBody = z
  .object({
    conversations: z.array(conversationBody).meta({ description: 'Newest first.' }),
    next_cursor: z.string().nullable().meta({ description: 'Where the list goes on; null at its end.' }),
  })
  .meta({ id: 'ConversationList' });

const listQuery = z.strictObject({
  limit: integerParameter(1, limits.conversationsPerPage).default(20).meta({
    description: 'How many conversations at most.',
  }),
  cursor: z
    .string()
    .max(500)
    .transform((text, context) => {
      const position = decodeCursor(text);
      if (position !== undefined) return position;
      context.addIssue({ code: 'custom', message: 'is no cursor: it takes the next_cursor of a reply' });
      return z.NEVER;
    })
    .optional()
    .meta({ description: '`next_cursor` of the page before. Left out: from the newest on.' }),
  user_id: z.guid().toLowerCase().optional().meta({
    description: 'Whose conversations, if the server asks; left out: its own. A user lists no others than their own.',
  }),
});

const pageQuery = z
  .strictObject({
    limit: integerParameter(1, limits.messagesPerPage).default(limits.messagesPerPage).meta({
      description: 'How many messages at most. A page holds fewer where it would get too large.',
    }),
    before: seqParameter.optional().meta({ description: 'The newest messages before this seq.' }),
    after: seqParameter.optional().meta({ description: 'The oldest messages after this seq.' }),
  })
  .refine(({ before, after }) => before === undefined || after === undefined, {
    path: ['after'],
    message: 'can not be given together with before',
  });

const tags = ['conversations'];

const create = createRoute({
  method: 'post',
  path: '/v1/conversations',
  tags,
  summary: 'Begin a conversation',
  request: {
    headers: idempotencyHeader('The same request with the same key begins one conversation, however often it is sent.'),
    body: {
      required: true,
      content: { 'application/json': { schema: newConversation.meta({ id: 'NewConversation' }) } },
    },
  },
  responses: {
    200: conversationReply(conversationBody, 'It was begun with this Idempotency-Key before.'),
    201: conversationReply(conversationBody, 'The conversation, without messages.'),
    202: conversationReply(
      conversationBody,
      'Queued: the database is away. It can be used at once, and is stored there later.',
    ),
    ...problems(400, 401, 409, 413, 415, 422, 503),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/conversations',
  tags,
  summary: 'List conversations',
  description: 'Newest first. New conversations and new messages move nothing in the pages behind a cursor.',
  request: { query: listQuery },
  responses: { 200: storedReply(listBody, 'A page of the list.'), ...problems(400, 401, 403, 503) },
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

const head = createRoute({
  method: 'get',
  path: '/v1/conversations/{id}/head',
  tags,
  summary: 'Read a conversation without its messages',
  request: { params: idParameter },
  responses: { 200: threadReply(conversationBody, 'The conversation.'), ...problems(401, 404, 503) },
});

const update = createRoute({
  method: 'patch',
  path: '/v1/conversations/{id}',
  tags,
  summary: 'Change title and metadata',
  description: 'What is left out stays; metadata are replaced as a whole. Of two changes the last one holds.',
  request: {
    params: idParameter,
    body: {
      required: true,
      content: { 'application/json': { schema: conversationChanges.meta({ id: 'ConversationChanges' }) } },
    },
  },
  responses: {
    200: conversationReply(conversationBody, 'The conversation after the change.'),
    ...problems(400, 401, 404, 413, 415, 422, 503),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/conversations/{id}',
  tags,
  summary: 'Delete a conversation',
  description: `It is not found any more. Within ${limits.undeleteSeconds / 86_400} days it can be undeleted; then it is gone for good.`,
  request: { params: idParameter },
  responses: {
    200: conversationReply(conversationBody, 'The conversation, with the time of its deletion.'),
    ...problems(401, 404, 503),
  },
});

export function addConversationRoutes(app: App, conversations: ConversationService): void {
  app.openAPIRegistry.registerPath(create);
  app.post(create.getRoutingPath(), async (c) => {
    const key = idempotencyKey(c);
    const stored = await conversations.create(c.get('caller'), await jsonBody(c, newConversation), key);
    describeNew(c, stored);
    return c.json(stored.conversation, stored.tier === 'outbox' ? 202 : stored.created ? 201 : 200);
  });

  app.openAPIRegistry.registerPath(list);
  app.get(list.getRoutingPath(), async (c) => {
    const { limit, cursor: after, user_id: owner } = query(c, listQuery);
    const found = await conversations.list(c.get('caller'), { owner, limit, after }, c.req.raw.signal);
    answeredBy(c, found.tier);
    const last = found.has_more ? found.conversations.at(-1) : undefined;
    return c.json({ conversations: found.conversations, next_cursor: last === undefined ? null : encodeCursor(last) });
  });

  app.openAPIRegistry.registerPath(read);
  app.get(read.getRoutingPath(), async (c) => {
    const { limit, before, after } = query(c, pageQuery);
    const page = { limit, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
    const thread = await conversations.read(c.get('caller'), idOf(c), page, c.req.raw.signal);
    const { messages, has_earlier, has_later, pending } = thread;
    describe(c, thread);
    c.header('x-storage-confirmed', thread.confirmed ? 'yes' : 'no');
    return c.json({ ...thread.conversation, messages, has_earlier, has_later, pending }, 200);
  });

  app.openAPIRegistry.registerPath(head);
  app.get(head.getRoutingPath(), async (c) => {
    const thread = await conversations.head(c.get('caller'), idOf(c), c.req.raw.signal);
    describe(c, thread);
    c.header('x-storage-confirmed', thread.confirmed ? 'yes' : 'no');
    return c.json(thread.conversation, 200);
  });

  app.openAPIRegistry.registerPath(update);
  app.patch(update.getRoutingPath(), async (c) => {
    const id = idOf(c);
    const stored = await conversations.update(c.get('caller'), id, await jsonBody(c, conversationChanges));
    describe(c, stored);
    return c.json(stored.conversation, 200);
  });

  app.openAPIRegistry.registerPath(remove);
  app.delete(remove.getRoutingPath(), async (c) => {
    const stored = await conversations.delete(c.get('caller'), idOf(c));
    describe(c, stored);
    return c.json(stored.conversation, 200);
  });
}
