import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { ChatService } from '../../../service/chat/chat-service.ts';
import type { Completion } from '../../../service/chat/running-answer.ts';
import { noUpstreams, type Upstreams } from '../../../service/chat/upstream.ts';
import { ConversationService } from '../../../service/conversation/conversation-service.ts';
import type { ConversationStore, Probe } from '../../../service/conversation/conversation-store.ts';
import { ConversationExport } from '../../../service/conversation/export.ts';
import { ConversationImport } from '../../../service/conversation/import.ts';
import type { OutboxControl } from '../../../service/conversation/outbox-report.ts';
import { ThreadService } from '../../../service/conversation/thread-service.ts';
import { LocalEvents } from '../../../service/events/local-events.ts';
import { Health } from '../../../service/health/health.ts';
import { createApp } from '../../../service/http/app.ts';
import { Authentication } from '../../../service/http/authentication.ts';
import { networks } from '../../../service/http/client-address.ts';
import { type RateLimitSettings, RateLimits } from '../../../service/http/rate-limits.ts';
import type { SocketLimits } from '../../../service/http/websocket/socket-limits.ts';
import { SocketServer } from '../../../service/http/websocket/socket-server.ts';
import { createLogger } from '../../../service/logger.ts';
import { Metrics } from '../../../service/metrics/metrics.ts';
import { besideConversations } from '../../../service/storage/beside-conversations.ts';
import { MemoryStore } from '../../../service/storage/memory/memory-store.ts';

const jwtSecret = 'a secret of more than thirty-two characters';
export const secretKey = 'sb_secret_0123456789';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a reply holds is what the tests are about
  readonly body: any;
}

/** The HTTP interface over conversations in memory, without a server around it. */
export function httpApi(
  options: {
    store?: ConversationStore;
    probes?: Probe[];
    warning?: string;
    outbox?: OutboxControl;
    upstreams?: Upstreams;
    rateLimits?: Partial<RateLimitSettings>;
    socketLimits?: Partial<SocketLimits>;
    isStopping?: () => boolean;
  } = {},
) {
  const { store = new MemoryStore(), isStopping = () => false } = options;
  const lines: string[] = [];
  const completions: Completion[] = [];
  const log = createLogger({ level: 'trace', releaseId: 'r1' }, { write: (line) => void lines.push(line) });
  const events = new LocalEvents();
  const conversations = new ConversationService({
    store,
    events,
    lifetimeSeconds: 3600,
    onOperation: () => undefined,
  });
  const chats = new ChatService({
    conversations,
    upstreams: options.upstreams ?? noUpstreams,
    journal: undefined,
    onCompletion: (completion) => void completions.push(completion),
    onTrouble: (error) => log.warn({ err: error }, 'trouble'),
  });
  const { search, threads, importTarget } = besideConversations(undefined, undefined, undefined);
  const importing = { target: importTarget, events: new LocalEvents(), lifetimeSeconds: 3600 };
  const authentication = new Authentication({ secretKey, jwtSecret });
  const limits = options.socketLimits ?? {};
  const sockets = new SocketServer({ conversations, events, authentication, limits, log, isStopping });
  const app = createApp({
    conversations,
    outbox: options.outbox,
    sockets,
    search,
    threads: new ThreadService(threads, 3600),
    exporting: new ConversationExport(conversations),
    importing: new ConversationImport(importing),
    chats,
    health: new Health({
      releaseId: 'r1',
      backend: 'memory',
      warning: options.warning,
      probes: options.probes ?? [],
      tiers: () => store.tiers(),
    }),
    authentication,
    metrics: new Metrics('r1'),
    rateLimits: new RateLimits({ user: 0, server: 0, failed: 0, ...options.rateLimits }, undefined),
    trustedProxies: networks('private'),
    log,
    releaseId: 'r1',
    isStopping,
  });

  /** Sends a request; an object as its body goes as JSON, a text or bytes as they are. */
  async function send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Reply> {
    const raw = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const response = await app.request(path, {
      method,
      ...(raw === undefined ? {} : { body: raw as string | Uint8Array<ArrayBuffer> }),
      headers: {
        authorization: `Bearer ${secretKey}`,
        ...(raw === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  }
  return { app, sockets, events, lines, send, chats, conversations, completions };
}

export async function userHeaders(id: string = randomUUID(), expires = '1h'): Promise<{ authorization: string }> {
  const token = await new SignJWT({ sub: id, role: 'authenticated', aud: 'authenticated' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(jwtSecret));
  return { authorization: `Bearer ${token}` };
}
