import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { ServerOnly } from '../../conversation/errors.ts';
import { type OutboxControl, outboxReport, refusedEntry } from '../../conversation/outbox-report.ts';
import type { App, RequestContext } from '../environment.ts';
import { Problem } from '../problem.ts';
import { plainReply, problems } from '../replies.ts';
import { integerParameter, query } from '../request-input.ts';

const reportBody = outboxReport
  .extend({ refused: z.array(refusedEntry.meta({ id: 'RefusedEntry' })) })
  .meta({ id: 'OutboxReport' });
const doneBody = z.object({ id: z.int() }).meta({ id: 'RefusedEntryGone' });

const reportQuery = z.strictObject({
  messages: z
    .enum(['yes', 'no'])
    .default('no')
    .meta({ description: '`yes`: with what was said in the refused entries.' }),
});
const idParameter = z.object({
  id: integerParameter(1).meta({ description: 'The id of a refused entry.' }),
});
const tags = ['outbox'];

const report = createRoute({
  method: 'get',
  path: '/v1/outbox',
  tags,
  summary: 'What waits for the database, and what it refused',
  description: 'For the server itself.',
  request: { query: reportQuery },
  responses: {
    200: plainReply(reportBody, 'Numbers of what waits, and the refused entries.'),
    ...problems(400, 401, 403),
  },
});

const retry = createRoute({
  method: 'post',
  path: '/v1/outbox/refused/{id}/retry',
  tags,
  summary: 'Queue a refused entry again',
  description: 'For the server itself, after the cause is mended. It goes behind what waits.',
  request: { params: idParameter },
  responses: { 200: plainReply(doneBody, 'It waits again.'), ...problems(401, 403, 404, 503) },
});

const discard = createRoute({
  method: 'post',
  path: '/v1/outbox/refused/{id}/discard',
  tags,
  summary: 'Remove a refused entry for good',
  description: 'For the server itself. What was said in it is in no other place.',
  request: { params: idParameter },
  responses: { 200: plainReply(doneBody, 'It is gone.'), ...problems(401, 403, 404, 503) },
});

/** What the server can see and do about the outbox; where there is none, nothing waits in it. */
export function addOutboxRoutes(app: App, outbox: OutboxControl | undefined): void {
  app.openAPIRegistry.registerPath(report);
  app.get(report.getRoutingPath(), (c) => {
    onlyForTheServer(c);
    const { messages } = query(c, reportQuery);
    return c.json(outbox?.report(messages === 'yes') ?? nothing, 200);
  });

  app.openAPIRegistry.registerPath(retry);
  app.post(retry.getRoutingPath(), async (c) => {
    onlyForTheServer(c);
    const id = idOf(c);
    if (!(await outbox?.retry(id))) throw noSuchEntry();
    return c.json({ id }, 200);
  });

  app.openAPIRegistry.registerPath(discard);
  app.post(discard.getRoutingPath(), async (c) => {
    onlyForTheServer(c);
    const id = idOf(c);
    if (!(await outbox?.discard(id))) throw noSuchEntry();
    return c.json({ id }, 200);
  });
}

const nothing = { waiting: { messages: 0, conversations: 0, oldest_at: null }, record: 'there' as const, refused: [] };

function onlyForTheServer(c: RequestContext): void {
  if (c.get('caller').kind !== 'server') throw new ServerOnly('the outbox is that of the whole box');
}

/** What is no id is the id of nothing. */
function idOf(c: RequestContext): number {
  const { success, data } = idParameter.safeParse(c.req.param());
  if (!success || !Number.isSafeInteger(data.id)) throw noSuchEntry();
  return data.id;
}

function noSuchEntry(): Problem {
  return new Problem(404, 'refused_entry_not_found', 'there is no such refused entry: see GET /v1/outbox');
}
