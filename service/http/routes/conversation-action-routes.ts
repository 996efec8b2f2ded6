import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { newFork } from '../../conversation/conversation.ts';
import type { ConversationService } from '../../conversation/conversation-service.ts';
import { limits } from '../../conversation/limits.ts';
import { conversationBody, describe, describeNew, idOf, idParameter } from '../conversation-resource.ts';
import type { App } from '../environment.ts';
import { conversationReply, problems } from '../replies.ts';
import { jsonBody } from '../request-input.ts';

const extendBody = z
  .strictObject({
    ttl_seconds: z.int().min(1).max(limits.lifetimeSeconds).nullable().meta({
      description: 'Seconds from now on, and from whenever it is read or written. null: for good (the server only).',
    }),
  })
  .meta({ id: 'Extend' });

const tags = ['conversations'];

const extend = createRoute({
  method: 'post',
  path: '/v1/conversations/{id}/extend',
  tags,
  summary: 'Let a conversation live longer',
  description: 'Never shortens: a conversation that lives longer already stays as it is.',
  request: {
    params: idParameter,
    body: { required: true, content: { 'application/json': { schema: extendBody } } },
  },
  responses: {
    200: conversationReply(conversationBody, 'The conversation, with its new `expires_at`.'),
    ...problems(400, 401, 403, 404, 413, 415, 503),
  },
});

const fork = createRoute({
  method: 'post',
  path: '/v1/conversations/{id}/fork',
  tags,
  summary: 'Begin another conversation with the messages of this one',
  description: 'Up to `seq`, numbered anew from 1, with the same owner, metadata and lifetime.',
  request: {
    params: idParameter,
    body: { required: true, content: { 'application/json': { schema: newFork.meta({ id: 'NewFork' }) } } },
  },
  responses: {
    201: conversationReply(conversationBody, 'The new conversation.'),
    ...problems(400, 401, 404, 409, 413, 415, 503),
  },
});

const undelete = createRoute({
  method: 'post',
  path: '/v1/conversations/{id}/undelete',
  tags,
  summary: 'Take a deletion back',
  description: `Within ${limits.undeleteSeconds / 86_400} days. A conversation that was not deleted stays as it is.`,
  request: { params: idParameter },
  responses: {
    200: conversationReply(conversationBody, 'The conversation, which lives on from now.'),
    ...problems(401, 404, 503),
  },
});

/** What is done to a conversation that is no change of a field of it. */
export function addConversationActionRoutes(app: App, conversations: ConversationService): void {
  app.openAPIRegistry.registerPath(extend);
  app.post(extend.getRoutingPath(), async (c) => {
    const id = idOf(c);
    const { ttl_seconds } = await jsonBody(c, extendBody);
    const stored = await conversations.extend(c.get('caller'), id, ttl_seconds);
    describe(c, stored);
    return c.json(stored.conversation, 200);
  });

  app.openAPIRegistry.registerPath(fork);
  app.post(fork.getRoutingPath(), async (c) => {
    const id = idOf(c);
    const stored = await conversations.fork(c.get('caller'), id, await jsonBody(c, newFork));
    describeNew(c, stored);
    return c.json(stored.conversation, 201);
  });

  app.openAPIRegistry.registerPath(undelete);
  app.post(undelete.getRoutingPath(), async (c) => {
    const stored = await conversations.undelete(c.get('caller'), idOf(c));
    describe(c, stored);
    return c.json(stored.conversation, 200);
  });
}
