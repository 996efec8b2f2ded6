import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import type { ConversationService } from '../../conversation/conversation-service.ts';
import type { ThreadService } from '../../conversation/thread-service.ts';
import { type App, answeredBy } from '../environment.ts';
import { problems, storedReply } from '../replies.ts';
import { pathParameter } from '../request-input.ts';

const count = z.int().min(0);

const statsBody = z
  .object({
    total_conversations: count.meta({ description: 'Those that were neither deleted nor have expired.' }),
    total_messages: count.meta({ description: 'Their messages.' }),
    expired_conversations: count.meta({ description: 'Those that have expired, and are not removed yet.' }),
    ttl_hours: z.number().meta({ description: 'How long a new conversation lives after it was last read or written.' }),
  })
  .meta({ id: 'Stats' });

const cleanedUpBody = z
  .object({
    expired: count.meta({ description: 'Conversations removed because they had expired.' }),
    deleted: count.meta({
      description: 'Conversations removed because their deletion can not be taken back any more.',
    }),
    rest: z.enum(['none', 'more', 'busy']).meta({
      description: '`more`: call again. `busy`: another process cleans up at this moment.',
    }),
  })
  .meta({ id: 'CleanedUp' });

const erasedBody = z
  .object({
    conversations: count.meta({ description: 'Conversations removed, with all their messages.' }),
    threads: count.meta({ description: 'Documents of threads removed.' }),
  })
  .meta({ id: 'Erased' });

const stats = createRoute({
  method: 'get',
  path: '/v1/stats',
  tags: ['conversations'],
  summary: 'How many conversations and messages there are',
  description: 'A user’s own; all of them for the server.',
  responses: { 200: storedReply(statsBody, 'The numbers at this moment.'), ...problems(401, 503) },
});

const cleanUp = createRoute({
  method: 'post',
  path: '/v1/cleanup',
  tags: ['upkeep'],
  summary: 'Remove what has ended (the server only)',
  description: 'As the service does by itself every hour.',
  responses: { 200: storedReply(cleanedUpBody, 'What was removed.'), ...problems(401, 403, 503) },
});

const userParameter = z.object({ id: z.guid().toLowerCase().meta({ description: 'The id of the user.' }) });

const erase = createRoute({
  method: 'delete',
  path: '/v1/users/{id}/data',
  tags: ['upkeep'],
  summary: 'Remove everything that is kept of a user, for good (that user, or the server)',
  description:
    'Conversations and documents of threads. When it fails, some may be left: send it again until it answers.',
  request: { params: userParameter },
  responses: {
    200: storedReply(erasedBody, 'What was removed.'),
    ...problems(400, 401, 403, 503),
  },
});

interface UpkeepParts {
  readonly conversations: ConversationService;
  readonly threads: ThreadService;
}

/** What concerns many conversations at once. */
export function addUpkeepRoutes(app: App, { conversations, threads }: UpkeepParts): void {
  app.openAPIRegistry.registerPath(stats);
  app.get(stats.getRoutingPath(), async (c) => {
    const { tier, ...body } = await conversations.stats(c.get('caller'), c.req.raw.signal);
    answeredBy(c, tier);
    return c.json(body, 200);
  });

  app.openAPIRegistry.registerPath(cleanUp);
  app.post(cleanUp.getRoutingPath(), async (c) => {
    const { tier, expired, deleted, rest } = await conversations.cleanUp(c.get('caller'), c.req.raw.signal);
    answeredBy(c, tier);
    return c.json({ expired, deleted, rest }, 200);
  });

  app.openAPIRegistry.registerPath(erase);
  app.delete(erase.getRoutingPath(), async (c) => {
    const { id } = pathParameter(c, userParameter);
    const documents = await threads.eraseUser(c.get('caller'), id);
    const erased = await conversations.eraseUser(c.get('caller'), id);
    answeredBy(c, erased.tier);
    return c.json({ conversations: erased.conversations, threads: documents }, 200);
  });
}
