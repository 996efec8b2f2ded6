import './process-warnings.ts'; // before lite

import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Keyring } from './auth/identity.ts';
import type { DatabaseSettings, Settings } from './config.ts';
import { prepareDatabase } from './database/bootstrap.ts';
import { EmbeddedConnection } from './database/connection.ts';
import { isOutage } from './database/outage.ts';
import { SessionPool } from './database/pool.ts';
import { followSchema } from './database/schema-listener.ts';
import { Session } from './database/session.ts';
import { checkHealth, checkWritable } from './health.ts';
import { unavailable } from './http/answers.ts';
import { Gateway } from './http/gateway.ts';
import { startHttpServer } from './http/server.ts';
import { createLiteApp } from './lite-app.ts';
import { restoreProcessWarnings } from './process-warnings.ts';
import { FileStore } from './storage/file-store.ts';

export interface EmbeddedSupabase {
  /** Base address, such as http://127.0.0.1:54321. */
  readonly url: string;
  /**
   * Settles when PostgreSQL is there and prepared; until then every request is answered 503. Rejects when it refuses
   * (wrong password, no superuser) or the preparation fails: waiting does not mend that.
   */
  readonly ready: Promise<void>;
  /** Finishes what is being answered, at most 4 s. */
  close(): Promise<void>;
}

const graceful = 3_500;

restoreProcessWarnings();

/** Starts listening at once, and getting ready behind it. Throws when the port or the storage directory can't be had. */
export async function startEmbeddedSupabase(settings: Settings, log: Logger): Promise<EmbeddedSupabase> {
  const stopping = new AbortController();
  const files = await FileStore.open(settings.storageDirectory);
  const keyring = new Keyring(settings);
  const pool = new SessionPool(settings.database, { max: 20, acquireTimeout: 5_000 });
  const connection = new EmbeddedConnection(pool);
  const lite = await createLiteApp(settings, { connection, keyring, files, log });
  const gateway = new Gateway({ lite, connection, keyring, maxFileSize: settings.maxFileSize }, log);
  let prepared = false;
  let following: Promise<void> = Promise.resolve();

  const health = async (): Promise<Response> => {
    const result = await checkHealth({
      database: async () => {
        if (!prepared) throw new Error('PostgreSQL is not there yet, or not prepared');
        await ask(pool);
      },
      schema: async () => {
        if (!prepared) throw new Error('not read yet');
        await connection.schema.current();
      },
      storage: () => checkWritable(settings.storageDirectory),
    });
    return Response.json(result, {
      status: result.status === 'healthy' ? 200 : 503,
      headers: { 'cache-control': 'no-store' },
    });
  };

  const server = await startHttpServer(
    settings,
    async (request) => {
      if (new URL(request.url).pathname === '/health') return health();
      return prepared
        ? gateway.answer(request)
        : unavailable('the embedded Supabase is starting: it waits for PostgreSQL');
    },
    log,
  );
  log.info({ url: server.url, database: `${settings.database.host}:${settings.database.port}` }, 'listening');

  await files.removeLeftovers(); // only now: with the port, the directory is ours, too

  const getReady = async () => {
    await untilPrepared(settings.database, log, stopping.signal);
    prepared = true;
    following = followSchema(settings.database, connection.schema, log, stopping.signal);
    await connection.schema.current();
    log.info('ready');
  };
  const ready = getReady();
  ready.catch(() => undefined); // for a caller that closes without waiting; who awaits it gets the error

  return {
    url: server.url,
    ready,
    async close() {
      stopping.abort();
      await server.close(graceful);
      await Promise.all([pool.close(300), following]);
    },
  };
}

/**
 * Waits for PostgreSQL as long as it takes, and prepares it. Throws on a refusal or an error of the preparation, and when
 * `signal` is aborted.
 */
async function untilPrepared(settings: DatabaseSettings, log: Logger, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const session = await Session.open(settings, { answerTimeout: 60_000 });
      try {
        return await prepareDatabase(session);
      } finally {
        await session.close();
      }
    } catch (error) {
      if (!isOutage(error)) throw error;
      const againInMs = Math.min(250 * 2 ** attempt, 5_000);
      const where = { host: settings.host, port: settings.port };
      log.warn({ err: error, ...where, againInMs }, 'PostgreSQL is not there yet; waiting for it');
      await delay(againInMs, undefined, { signal });
    }
  }
}

async function ask(pool: SessionPool): Promise<void> {
  const session = await pool.acquire();
  try {
    await session.query('select 1');
  } finally {
    pool.release(session);
  }
}
