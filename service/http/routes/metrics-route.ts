import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { ServerOnly } from '../../conversation/errors.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { App } from '../environment.ts';
import { problems } from '../replies.ts';

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  tags: ['operation'],
  summary: 'Metrics for Prometheus',
  description: 'With the secret key only. `docs/metrics.md` lists all.',
  responses: {
    200: { description: 'Prometheus’ text format.', content: { 'text/plain': { schema: z.string() } } },
    ...problems(401, 403),
  },
});

/** To be added behind the authentication. */
export function addMetricsRoute(app: App, metrics: Metrics): void {
  app.openAPIRegistry.registerPath(metricsRoute);
  app.get(metricsRoute.path, async (c) => {
    if (c.get('caller').kind !== 'server') throw new ServerOnly('reading the metrics');
    return c.body(await metrics.exposition(), 200, { 'content-type': metrics.contentType });
  });
}
