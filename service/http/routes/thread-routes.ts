import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { newThread, storedThread, threadHead, threadId } from '../../conversation/thread-documents.ts';
import type { ThreadService } from '../../conversation/thread-service.ts';
import { type App, answeredBy } from '../environment.ts';
import { problems, storedReply } from '../replies.ts';
import { jsonBody, pathParameter } from '../request-input.ts';

const idParameter = z.object({
  id: threadId.meta({
    description: 'Whatever the caller calls it. Each user’s, and the server’s, are threads of their own.',
  }),
});
const headBody = threadHead.meta({ id: 'ThreadDocumentHead' });
const tags = ['threads'];

const put = createRoute({
  method: 'put',
  path: '/v1/threads/{id}',
  tags,
  summary: 'Keep a document for a thread',
  description: 'In place of the one that is there. It lives for `ttl_seconds` from now; reading it does not count.',
  request: {
    params: idParameter,
    body: { required: true, content: { 'application/json': { schema: newThread.meta({ id: 'NewThreadDocument' }) } } },
  },
  responses: { 200: storedReply(headBody, 'It is kept.'), ...problems(400, 401, 413, 415, 422, 503) },
});

const get = createRoute({
  method: 'get',
  path: '/v1/threads/{id}',
  tags,
  summary: 'Read the document of a thread',
  request: { params: idParameter },
  responses: {
    200: storedReply(storedThread.meta({ id: 'ThreadDocument' }), 'The document.'),
    ...problems(400, 401, 404, 503),
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/threads/{id}',
  tags,
  summary: 'Remove the document of a thread',
  request: { params: idParameter },
  responses: {
    200: storedReply(z.object({ thread_id: threadId }).meta({ id: 'RemovedThreadDocument' }), 'It is gone.'),
    ...problems(400, 401, 404, 503),
  },
});

export function addThreadRoutes(app: App, threads: ThreadService): void {
  app.openAPIRegistry.registerPath(put);
  app.put(put.getRoutingPath(), async (c) => {
    const { id } = pathParameter(c, idParameter);
    const { document, ttl_seconds } = await jsonBody(c, newThread);
    const head = await threads.put(c.get('caller'), id, document, ttl_seconds);
    answeredBy(c, threads.tier);
    return c.json(head, 200);
  });

  app.openAPIRegistry.registerPath(get);
  app.get(get.getRoutingPath(), async (c) => {
    const { id } = pathParameter(c, idParameter);
    const thread = await threads.get(c.get('caller'), id, c.req.raw.signal);
    answeredBy(c, threads.tier);
    return c.json(thread, 200);
  });

  app.openAPIRegistry.registerPath(remove);
  app.delete(remove.getRoutingPath(), async (c) => {
    const { id } = pathParameter(c, idParameter);
    await threads.delete(c.get('caller'), id);
    answeredBy(c, threads.tier);
    return c.json({ thread_id: id }, 200);
  });
}
