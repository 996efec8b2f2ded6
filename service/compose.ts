import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { AnswerJournal } from './chat/answer-journal.ts';
import { ChatService } from './chat/chat-service.ts';
import { traceCompletion } from './chat/completion-span.ts';
import type { Completion } from './chat/running-answer.ts';
import { CleanUpLoop } from './clean-up-loop.ts';
import type { Settings } from './config.ts';
import { ConversationService, type Operation } from './conversation/conversation-service.ts';
import { ConversationExport } from './conversation/export.ts';
import { ConversationImport } from './conversation/import.ts';
import { ThreadService } from './conversation/thread-service.ts';
import { openEvents } from './events/open-events.ts';
import { Health } from './health/health.ts';
import { createApp } from './http/app.ts';
import { Authentication } from './http/authentication.ts';
import type { App } from './http/environment.ts';
import { RateLimits } from './http/rate-limits.ts';
import { slowMilliseconds } from './http/request-log.ts';
import { socketProbe } from './http/websocket/socket-probe.ts';
import { SocketServer } from './http/websocket/socket-server.ts';
import { type MetricSources, Metrics } from './metrics/metrics.ts';
import { openStorage, type Storage } from './storage/open-storage.ts';
import type { Tracing } from './tracing/start-tracing.ts';

export interface Service {
  readonly app: App;
  readonly sockets: SocketServer;
  /** Lets answers that are under way end within so many ms, and keeps what there is of the others. Before `close`. */
  finishAnswers(patience: number): Promise<void>;
  close(): Promise<void>;
}

export interface ComposeOptions {
  /** Aborted when the backend has had time enough to start. */
  readonly untilStarted: AbortSignal;
  isStopping(): boolean;
}

/** Puts the service together: the one place that knows HTTP, conversations and storage. Opens the storage. */
export async function compose(settings: Settings, log: Logger, options: ComposeOptions): Promise<Service> {
  const { backend } = settings.storage;
  const storage = await openStorage(settings.storage, log, options.untilStarted);
  log.info({ backend, tiers: storage.store.tiers(), warning: storage.warning }, 'storage is open');
  const tracing = await openTracing(settings, log);
  const metrics = new Metrics(settings.releaseId);
  const rateLimits = new RateLimits(settings.rateLimits, storage.redis?.client);
  const { events, close: closeEvents } = openEvents(storage, settings.storage.redis, log);
  storage.outbox?.onReplayed(({ id: conversation_id, last_seq }) =>
    events.publish({ kind: 'appended', conversation_id, last_seq }),
  );
  const conversations = new ConversationService({
    store: storage.store,
    events,
    lifetimeSeconds: settings.lifetimeSeconds,
    onOperation: (operation) => {
      metrics.operationEnded(operation);
      logIfSlow(operation, log);
    },
  });
  const chats = new ChatService({
    conversations,
    upstreams: settings.chatUpstreams,
    journal: openJournal(settings, storage, log),
    onCompletion: (completion) => {
      traceCompletion(completion);
      metrics.completionEnded({ outcome: completion.status, seconds: completion.milliseconds / 1000 });
      logCompletion(completion, log);
    },
    onTrouble: (error) => log.warn({ err: error }, 'an answer could not be kept as it should'),
  });
  const authentication = new Authentication(settings.authentication, (error) =>
    log.warn({ err: error }, 'the public keys of the project can not be had: going on with those that are known'),
  );
  const sockets = new SocketServer({ conversations, events, authentication, log, isStopping: options.isStopping });
  metrics.watch({
    ...storageSources(storage),
    rateLimited: () => rateLimits.refused,
    openSockets: () => sockets.open,
  });
  const health = new Health({
    releaseId: settings.releaseId,
    backend,
    warning: storage.warning,
    probes: [...storage.store.probes, socketProbe(settings, settings.authentication.secretKey)],
    tiers: () => storage.store.tiers(),
  });
  const { search, threads, importTarget } = storage.beside;
  const { lifetimeSeconds } = settings;
  const threadService = new ThreadService(threads, lifetimeSeconds);
  const app = createApp({
    conversations,
    search,
    threads: threadService,
    exporting: new ConversationExport(conversations),
    importing: new ConversationImport({ target: importTarget, events, lifetimeSeconds }),
    chats,
    health,
    outbox: storage.outbox,
    authentication,
    sockets,
    rateLimits,
    metrics,
    trustedProxies: settings.trustedProxies,
    log,
    releaseId: settings.releaseId,
    isStopping: options.isStopping,
  });
  const cleaning = new CleanUpLoop({
    work: async (signal) => logCleanUp(await cleanUp(conversations, threadService, signal), log),
    onFailure: (error) => log.warn({ err: error }, 'what has ended could not be removed; it is tried again in an hour'),
  });
  const close = async () => {
    await cleaning.stop();
    await closeEvents();
    await storage.close();
    metrics.close();
    await tracing?.stop();
  };
  return { app, sockets, finishAnswers: (patience) => chats.close(patience), close };
}

async function cleanUp(conversations: ConversationService, threads: ThreadService, signal: AbortSignal) {
  const { expired, deleted, rest } = await conversations.cleanUp({ kind: 'server' }, signal);
  return { expired, deleted, threads: await threads.cleanUp(signal), rest };
}

function logCleanUp(removed: Awaited<ReturnType<typeof cleanUp>>, log: Logger): void {
  const { expired, deleted, threads } = removed;
  log[expired + deleted + threads > 0 ? 'info' : 'debug'](removed, 'removed what has ended');
}

/** OpenTelemetry is loaded where traces are wanted only. */
async function openTracing({ tracing, releaseId }: Settings, log: Logger): Promise<Tracing | undefined> {
  if (tracing === undefined) return undefined;
  const { startTracing } = await import('./tracing/start-tracing.ts');
  return startTracing(tracing, releaseId, () => log.warn('traces could not be delivered'));
}

function storageSources({ figures, redis, outbox }: Storage): MetricSources {
  return {
    ...figures,
    ...(redis === undefined ? {} : { isRedisThere: () => redis.readySince !== undefined }),
    ...(outbox === undefined ? {} : { outbox }),
  };
}

/** Beside the outbox, which all processes of the box share, too. */
function openJournal(settings: Settings, storage: Storage, log: Logger): AnswerJournal | undefined {
  const { outboxDirectory } = settings.storage;
  if (outboxDirectory === undefined || storage.outbox === undefined) return undefined;
  try {
    return new AnswerJournal(outboxDirectory, randomUUID());
  } catch (error) {
    log.warn({ err: error }, 'answers of models go on without a journal: what dies with this process is lost');
    return undefined;
  }
}

function logCompletion(completion: Completion, log: Logger): void {
  const {
    upstream,
    model,
    status,
    milliseconds,
    firstTokenMilliseconds: first_token_ms,
    usage,
    cause: err,
  } = completion;
  const ms = Math.round(milliseconds);
  log[err === undefined ? 'info' : 'warn'](
    { upstream, model, status, ms, first_token_ms, ...usage, err },
    'completion',
  );
}

function logIfSlow({ name, milliseconds, tier, code }: Operation, log: Logger): void {
  if (milliseconds <= slowMilliseconds) return;
  log.warn({ operation: name, ms: Math.round(milliseconds), tier, code }, 'slow operation');
}
