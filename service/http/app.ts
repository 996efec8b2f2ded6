import { OpenAPIHono } from '@hono/zod-openapi';
import type { Logger } from 'pino';
import type { ChatService } from '../chat/chat-service.ts';
import type { ConversationService } from '../conversation/conversation-service.ts';
import { ConversationError, RecordUnavailable } from '../conversation/errors.ts';
import type { OutboxControl } from '../conversation/outbox-report.ts';
import type { Search } from '../conversation/search.ts';
import type { ThreadService } from '../conversation/thread-service.ts';
import type { Health } from '../health/health.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { type AdmissionParts, admission } from './admission.ts';
import { conversationProblem } from './conversation-problem.ts';
import type { App, Environment, RequestContext } from './environment.ts';
import { addOpenApiDocument } from './openapi-document.ts';
import { Problem, problemResponse } from './problem.ts';
import { requestLog } from './request-log.ts';
import { requestMetrics } from './request-metrics.ts';
import { requestSpan } from './request-span.ts';
import { addChatRoutes } from './routes/chat-routes.ts';
import { addContinuationRoute } from './routes/continuation-route.ts';
import { addConversationActionRoutes } from './routes/conversation-action-routes.ts';
import { addConversationRoutes } from './routes/conversation-routes.ts';
import { addHealthRoutes } from './routes/health-routes.ts';
import { addMessageRoutes } from './routes/message-routes.ts';
import { addMetricsRoute } from './routes/metrics-route.ts';
import { addOutboxRoutes } from './routes/outbox-routes.ts';
import { addSearchRoutes } from './routes/search-routes.ts';
import { addThreadRoutes } from './routes/thread-routes.ts';
import { addTransferRoutes, type TransferParts } from './routes/transfer-routes.ts';
import { addUpkeepRoutes } from './routes/upkeep-routes.ts';
import { addSocketRoute } from './websocket/socket-route.ts';
import type { SocketServer } from './websocket/socket-server.ts';

export interface AppParts extends AdmissionParts, TransferParts {
  readonly conversations: ConversationService;
  readonly chats: ChatService;
  readonly search: Search;
  readonly threads: ThreadService;
  readonly health: Health;
  readonly metrics: Metrics;
  /** Left out by back ends that have none. */
  readonly outbox?: OutboxControl | undefined;
  /** Left out: no WebSocket can be opened. */
  readonly sockets?: SocketServer | undefined;
  readonly log: Logger;
  readonly releaseId: string;
  /** Whether the process has been told to stop. */
  isStopping(): boolean;
}

/** The HTTP interface: parse, call, reply. */
export function createApp(parts: AppParts): App {
  const app = new OpenAPIHono<Environment>();
  app.use(requestSpan());
  app.use(requestMetrics(parts.metrics));
  app.use(requestLog(parts));
  addHealthRoutes(app, parts);

  // Nothing below is for just anybody.
  app.use(admission(parts));
  addConversationRoutes(app, parts.conversations);
  addContinuationRoute(app, parts.conversations);
  addConversationActionRoutes(app, parts.conversations);
  addMessageRoutes(app, parts.conversations);
  addUpkeepRoutes(app, parts);
  addChatRoutes(app, parts.chats);
  addSearchRoutes(app, parts.search);
  addThreadRoutes(app, parts.threads);
  addTransferRoutes(app, parts);
  addOutboxRoutes(app, parts.outbox);
  addMetricsRoute(app, parts.metrics);
  if (parts.sockets !== undefined) addSocketRoute(app, parts.sockets);
  addOpenApiDocument(app, parts.releaseId);
  refuseOtherMethods(app);

  app.notFound((c) =>
    reply(c, new Problem(404, 'route_not_found', 'there is nothing at this address; see /openapi.json')),
  );
  app.onError((error, c) => {
    const problem = problemOf(error);
    if (problem.status === 500) parts.log.error({ request_id: c.get('requestId'), err: error }, 'defect');
    if (error instanceof RecordUnavailable) {
      parts.log.warn({ request_id: c.get('requestId'), err: error.cause }, 'the record is away');
    }
    return reply(c, problem);
  });
  return app;
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ConversationError) return conversationProblem(error);
  return new Problem(500, 'internal_error', 'this is a defect of the service; its log has more under the request id', {
    cause: error,
  });
}

function reply(c: RequestContext, problem: Problem): Response {
  c.set('code', problem.code);
  return problemResponse(c, problem, c.get('requestId'));
}

/** 405 for what a known address can't do, instead of 404. */
function refuseOtherMethods(app: App): void {
  const methods = new Map<string, string[]>();
  for (const { method, path } of app.routes) {
    if (method !== 'ALL')
      methods.set(path, [...(methods.get(path) ?? []), method, ...(method === 'GET' ? ['HEAD'] : [])]);
  }
  for (const [path, allowed] of methods) {
    const allow = allowed.join(', ');
    app.all(path, () => {
      throw new Problem(405, 'method_not_allowed', `this address takes ${allow}`, { headers: { allow } });
    });
  }
}
