import { randomUUID } from 'node:crypto';
import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import type { Logger } from 'pino';
import type { Caller } from '../conversation/conversation.ts';
import type { ConversationService } from '../conversation/conversation-service.ts';
import { StoreRefusedError, StoreUnavailableError } from '../conversation/conversation-store.ts';
import { ConversationNotFoundError, SequenceConflictError } from '../conversation/errors.ts';
import { type AuthenticationSettings, authentication } from './authentication.ts';
import { conversationRoutes } from './conversation-routes.ts';
import { type Drain, healthRoutes } from './health-routes.ts';
import { Problem } from './problem.ts';
import { invalid } from './validation.ts';

export interface RequestEnvironment {
  Variables: { caller: Caller; requestId: string };
}

export interface AppSettings extends AuthenticationSettings {
  readonly releaseId: string;
  /** Notice that was given at start, such as a fallback in use. */
  readonly warnings: readonly string[];
}

/** Bytes of a request's body. */
const largestBody = 4 * 2 ** 20;
/** Milliseconds from which on an operation is worth a line in the log. */
const slow = 500;

/** The HTTP face of the service: who calls, routes, replies, one place where errors become problem documents. */
export function createApp(service: ConversationService, settings: AppSettings, drain: Drain, log: Logger) {
  const app = new OpenAPIHono<RequestEnvironment>({ defaultHook: invalid });
  const authenticate = authentication(settings);

  app.use(async (context, next) => {
    const requestId = randomUUID();
    context.set('requestId', requestId);
    const started = performance.now();
    await next();
    context.header('x-request-id', requestId);
    context.header('x-release-id', settings.releaseId);
    const milliseconds = Math.round(performance.now() - started);
    const { status } = context.res;
    const line = { request: requestId, method: context.req.method, route: context.req.routePath, status, milliseconds };
    if (status >= 500) log.error(line, 'request failed');
    else if (milliseconds >= slow) log.warn(line, 'slow request');
    else log.info(line, 'request');
  });
  app.route('/', healthRoutes(service, settings, drain, authenticate));
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'conversation-kit', version: '1' },
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'A user’s Supabase token, or the service key.',
  });

  app.use('/v1/*', async (context, next) => {
    context.set('caller', await authenticate(context.req.header('authorization')));
    if (['POST', 'PUT', 'PATCH'].includes(context.req.method)) requireJson(context.req.header('content-type'));
    await next();
  });
  app.use(
    '/v1/*',
    bodyLimit({
      maxSize: largestBody,
      onError: () => {
        throw new Problem('body_too_large', { limit: largestBody });
      },
    }),
  );
  app.route('/', conversationRoutes(service));
  app.notFound((context) => new Problem('not_found').response(context.var.requestId));
  app.onError((error, context) => {
    const problem = problemOf(error);
    if (problem.status >= 500) log.error({ request: context.var.requestId, error: describe(error) }, problem.title);
    return problem.response(context.var.requestId);
  });
  return app;
}

function requireJson(contentType: string | undefined): void {
  if (!/^application\/json\s*(;|$)/i.test(contentType ?? '')) throw new Problem('unsupported_media_type');
}

function problemOf(error: Error): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ConversationNotFoundError) return new Problem('conversation_not_found', {}, { cause: error });
  if (error instanceof SequenceConflictError) {
    return new Problem('sequence_conflict', { last_seq: error.lastSeq, messages: error.messages }, { cause: error });
  }
  if (error instanceof StoreRefusedError) return new Problem('refused_by_record', {}, { cause: error });
  if (error instanceof StoreUnavailableError) return new Problem('record_unavailable', {}, { cause: error });
  if (error instanceof HTTPException && error.status === 400) {
    return new Problem(
      'invalid_request',
      { issues: [{ at: 'json', message: 'must be valid JSON' }] },
      { cause: error },
    );
  }
  return new Problem('internal', {}, { cause: error });
}

/** What the log may have of an error: never a request's content, which a message of a parser could quote. */
function describe(error: unknown): { name: string; message: string; cause?: unknown } {
  if (!(error instanceof Error)) return { name: typeof error, message: '' };
  const isOurs = error instanceof StoreUnavailableError;
  const cause = error.cause === undefined ? {} : { cause: describe(error.cause) };
  return { name: error.name, message: isOurs || !(error instanceof SyntaxError) ? error.message : '', ...cause };
}
