import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { newConversation } from '../../conversation/conversation.ts';
import type { ConversationService } from '../../conversation/conversation-service.ts';
import { conversationBody, describeNew } from '../conversation-resource.ts';
import type { App } from '../environment.ts';
import { conversationReply, problems } from '../replies.ts';
import { jsonBody } from '../request-input.ts';

const continueBody = z
  .strictObject({
    continuation_id: z.guid().optional().meta({ description: 'That of the conversation to go on with.' }),
    ...newConversation.shape,
  })
  .meta({ id: 'Continue', description: 'Title and metadata are for the conversation that is begun if there is none.' });

const continuedBody = z
  .object({
    conversation: conversationBody,
    continued: z.boolean().meta({ description: 'False: this is a new conversation.' }),
    reason: z.enum(['unknown', 'expired', 'none']).nullable().meta({
      description: 'Why a new one was begun: nobody knows that id, it has expired, or none was given. Else null.',
    }),
  })
  .meta({ id: 'Continued' });

const continueOrCreate = createRoute({
  method: 'post',
  path: '/v1/continuations',
  tags: ['conversations'],
  summary: 'Go on with a conversation, or begin one',
  description: 'Says which of the two: an id that is unknown or has expired is no error.',
  request: { body: { required: true, content: { 'application/json': { schema: continueBody } } } },
  responses: {
    200: conversationReply(continuedBody, 'The conversation of that continuation id.'),
    201: conversationReply(continuedBody, 'A new one, and why.'),
    202: conversationReply(continuedBody, 'A new one that is queued, as the database is away.'),
    ...problems(400, 401, 413, 415, 422, 503),
  },
});

export function addContinuationRoute(app: App, conversations: ConversationService): void {
  app.openAPIRegistry.registerPath(continueOrCreate);
  app.post(continueOrCreate.getRoutingPath(), async (c) => {
    const { continuation_id: id, ...given } = await jsonBody(c, continueBody);
    const stored = await conversations.continueOrCreate(c.get('caller'), id?.toLowerCase(), given);
    describeNew(c, stored);
    const { conversation, reason, tier } = stored;
    const body = { conversation, continued: reason === null, reason };
    return c.json(body, reason === null ? 200 : tier === 'outbox' ? 202 : 201);
  });
}
