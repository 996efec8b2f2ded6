import { serve } from '@hono/node-server';
import { pino } from 'pino';
import { composeApp, openStore } from './compose.ts';
import { ConfigurationError, parseEnvironment, type Settings } from './config.ts';
import { healthCommand } from './health-command.ts';

/** Milliseconds that requests under way have to end after the request to stop. */
const drainTime = 20_000;

async function run(settings: Settings): Promise<void> {
  const log = pino({ level: settings.logLevel, base: { release: settings.releaseId } });
  const opened = await openStore(settings, log);
  for (const warning of opened.warnings) log.warn(warning);
  const drain = { stopping: false };
  const app = composeApp(opened, settings, drain, log);
  const server = serve({ fetch: app.fetch, hostname: settings.host, port: settings.port }, ({ port }) => {
    log.info({ port, backend: settings.backend, tiers: opened.store.tiers }, 'the service is up');
  });

  const stop = (signal: NodeJS.Signals) => {
    if (drain.stopping) return;
    drain.stopping = true;
    log.info({ signal }, 'stopping: finishing what was begun');
    const late = setTimeout(() => {
      log.error('requests were still under way when the time to stop ran out');
      process.exit(1);
    }, drainTime);
    // In reverse order of starting: no new requests, the last answers, then the store.
    server.close(() => {
      opened.store.close().then(
        () => {
          clearTimeout(late);
          log.info('stopped');
        },
        (error: Error) => {
          log.error({ error: error.message }, 'the store did not close');
          process.exit(1);
        },
      );
    });
    if ('closeIdleConnections' in server) server.closeIdleConnections();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

if (process.argv.includes('--health')) {
  process.exitCode = await healthCommand(Number(process.env.PORT ?? 8079));
} else {
  try {
    await run(parseEnvironment(process.env));
  } catch (error) {
    const isMistake = error instanceof ConfigurationError;
    console.error(error instanceof Error ? error.message : error);
    process.exit(isMistake ? 2 : 3);
  }
}
