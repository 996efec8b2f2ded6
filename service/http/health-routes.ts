import { Hono } from 'hono';
import type { Caller } from '../conversation/conversation.ts';
import type { ConversationService } from '../conversation/conversation-service.ts';
import type { AppSettings, RequestEnvironment } from './app.ts';

/** Whether the service is stopping: it finishes what it has and wants no more. */
export interface Drain {
  readonly stopping: boolean;
}

const probeTimeout = 4_000;

/**
 * `/livez`: the process answers. `/readyz`: it can serve, that is, the record answers. `/health`: every tier with its
 * response time; the details are for callers with a token.
 */
export function healthRoutes(
  service: ConversationService,
  settings: AppSettings,
  drain: Drain,
  authenticate: (header: string | undefined) => Promise<Caller>,
): Hono<RequestEnvironment> {
  const routes = new Hono<RequestEnvironment>();
  routes.get('/livez', (context) => context.json({ status: 'alive' }));
  routes.get('/readyz', async (context) => {
    if (drain.stopping) return context.json({ status: 'stopping' }, 503);
    const { status } = await service.health(AbortSignal.timeout(probeTimeout));
    return status === 'unhealthy' ? context.json({ status: 'not ready' }, 503) : context.json({ status: 'ready' });
  });
  routes.get('/health', async (context) => {
    const { status, checks } = await service.health(AbortSignal.timeout(probeTimeout));
    const code = status === 'unhealthy' ? 503 : 200;
    const header = context.req.header('authorization');
    if (header === undefined) return context.json({ status }, code);
    await authenticate(header);
    return context.json(
      {
        status,
        release_id: settings.releaseId,
        tiers: checks.map(({ tier }) => tier),
        checks,
        warnings: settings.warnings,
      },
      code,
    );
  });
  return routes;
}
