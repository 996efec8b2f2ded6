import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DatabaseSettings } from '../config.ts';
import type { SchemaCache } from './schema-cache.ts';
import { Session } from './session.ts';

/** How often the listening session is asked whether it is still there, in ms: a dead network closes no socket. */
const heartbeat = 10_000;
const longestPause = 2_000;

/**
 * Keeps a session on `listen pgrst` and has the schema read again on `notify pgrst, 'reload schema'` and after every
 * time that it could not hear. Ends when `signal` is aborted.
 */
export async function followSchema(
  settings: DatabaseSettings,
  cache: SchemaCache<unknown>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  let failures = 0;
  while (!signal.aborted) {
    try {
      await listen(settings, cache, log, { signal, aborted }, () => {
        failures = 0;
      });
    } catch (error) {
      failures += 1;
      if (failures === 1) log.warn({ err: error }, 'lost touch with PostgreSQL; trying again until it is back');
    }
    if (signal.aborted) return;
    cache.invalidate();
    await delay(Math.min(100 * 2 ** failures, longestPause), undefined, { signal }).catch(() => undefined); // aborted: the loop ends
  }
}

async function listen(
  settings: DatabaseSettings,
  cache: SchemaCache<unknown>,
  log: Logger,
  { signal, aborted }: { signal: AbortSignal; aborted: Promise<void> },
  onListening: () => void,
): Promise<void> {
  const reload = () => {
    cache.invalidate();
    cache.current().then(
      () => log.debug('schema read again'),
      (error: unknown) => log.warn({ err: error }, 'could not read the schema; the next request tries again'),
    );
  };
  const session = await Session.open(settings, {
    answerTimeout: 5_000,
    onNotification: (channel, payload) => {
      if (channel === 'pgrst' && (payload === 'reload schema' || payload === '')) reload();
    },
  });
  try {
    await session.query('listen pgrst');
    reload();
    onListening();
    log.info('listening for changes of the schema');
    while (session.alive && !signal.aborted) {
      await Promise.race([session.closed, aborted, delay(heartbeat, undefined, { ref: false })]);
      if (session.alive && !signal.aborted) await session.query('select 1');
    }
    if (!signal.aborted) throw new Error('the session that listens for changes of the schema ended');
  } finally {
    await session.close();
  }
}
