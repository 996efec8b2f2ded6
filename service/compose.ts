import type { Logger } from 'pino';
import type { Settings } from './config.ts';
import { ConversationService, type Operation } from './conversation/conversation-service.ts';
import { LocalEvents } from './events/local-events.ts';
import { RedisEvents } from './events/redis-events.ts';
import { Health } from './health/health.ts';
import { createApp } from './http/app.ts';
import { Authentication } from './http/authentication.ts';
import type { App } from './http/environment.ts';
import { RateLimits } from './http/rate-limits.ts';
import { slowMilliseconds } from './http/request-log.ts';
import { type MetricSources, Metrics } from './metrics/metrics.ts';
import { openStorage, type Storage } from './storage/open-storage.ts';

export interface Service {
  readonly app: App;
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
  const metrics = new Metrics(settings.releaseId);
  const rateLimits = new RateLimits(settings.rateLimits, storage.redis?.client);
  metrics.watch({ ...storageSources(storage), rateLimited: () => rateLimits.refused });
  const heardHere = new LocalEvents();
  const shared =
    settings.storage.redis && storage.redis && new RedisEvents(settings.storage.redis, storage.redis, heardHere, log);
  const conversations = new ConversationService({
    store: storage.store,
    events: shared ?? heardHere,
    lifetimeSeconds: settings.lifetimeSeconds,
    onOperation: (operation) => {
      metrics.operationEnded(operation);
      logIfSlow(operation, log);
    },
  });
  const health = new Health({
    releaseId: settings.releaseId,
    backend,
    warning: storage.warning,
    probes: storage.store.probes,
    tiers: () => storage.store.tiers(),
  });
  const app = createApp({
    conversations,
    health,
    outbox: storage.outbox,
    authentication: new Authentication(settings.authentication, (error) =>
      log.warn({ err: error }, 'the public keys of the project can not be had: going on with those that are known'),
    ),
    rateLimits,
    metrics,
    trustedProxies: settings.trustedProxies,
    log,
    releaseId: settings.releaseId,
    isStopping: options.isStopping,
  });
  const close = async () => {
    shared?.close();
    await storage.close();
    metrics.close();
  };
  return { app, close };
}

function storageSources({ figures, redis, outbox }: Storage): MetricSources {
  return {
    ...figures,
    ...(redis === undefined ? {} : { isRedisThere: () => redis.readySince !== undefined }),
    ...(outbox === undefined ? {} : { outbox }),
  };
}

function logIfSlow({ name, milliseconds, tier, code }: Operation, log: Logger): void {
  if (milliseconds <= slowMilliseconds) return;
  log.warn({ operation: name, ms: Math.round(milliseconds), tier, code }, 'slow operation');
}
