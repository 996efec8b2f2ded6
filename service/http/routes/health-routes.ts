import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { healthAnswer } from '../../../health/report.ts';
import type { Health } from '../../health/health.ts';
import type { Authentication } from '../authentication.ts';
import type { App } from '../environment.ts';
import { plainReply } from '../replies.ts';

const statusBody = (...statuses: [string, ...string[]]) => z.object({ status: z.enum(statuses) });
const tags = ['health'];

const live = createRoute({
  method: 'get',
  path: '/livez',
  tags,
  security: [],
  summary: 'Whether the process runs',
  responses: { 200: plainReply(statusBody('alive'), 'It does.') },
});

const ready = createRoute({
  method: 'get',
  path: '/readyz',
  tags,
  security: [],
  summary: 'Whether to send requests here',
  responses: {
    200: plainReply(statusBody('ready'), 'Yes.'),
    503: plainReply(statusBody('stopping'), 'No more: it finishes what it has, and stops.'),
  },
});

const health = createRoute({
  method: 'get',
  path: '/health',
  tags,
  security: [{}, { bearer: [] }],
  summary: 'How the service and its neighbours are',
  description: 'With the secret key all of it, asked anew; else the status by itself, up to a second old.',
  responses: {
    200: plainReply(healthAnswer, 'It does its work: `healthy`, or `degraded` when with less than was configured.'),
    503: plainReply(healthAnswer, 'It can not do its work.'),
  },
});

export interface HealthRouteParts {
  readonly health: Health;
  readonly authentication: Authentication;
  isStopping(): boolean;
}

/** What anybody may ask. */
export function addHealthRoutes(app: App, parts: HealthRouteParts): void {
  app.openAPIRegistry.registerPath(live);
  app.get(live.path, (c) => c.json({ status: 'alive' }));

  app.openAPIRegistry.registerPath(ready);
  app.get(ready.path, (c) => (parts.isStopping() ? c.json({ status: 'stopping' }, 503) : c.json({ status: 'ready' })));

  app.openAPIRegistry.registerPath(health);
  app.get(health.path, async (c) => {
    const body = parts.authentication.isServer(c.req.header('authorization'))
      ? await parts.health.examine()
      : { status: await parts.health.status() };
    return c.json(body, body.status === 'unhealthy' ? 503 : 200);
  });
}
