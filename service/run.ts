import type { Logger } from 'pino';
import { compose, type Service } from './compose.ts';
import { ConfigurationError, readSettings, type Settings } from './config.ts';
import { HttpServer } from './http/server.ts';
import { createLogger } from './logger.ts';
import { StorageFailedError } from './storage/open-storage.ts';

/**
 * Milliseconds: how long the storage may take to start, and how long what is under way may take to end. What a model has
 * not said by then is cut first, so that whoever listens is told.
 */
const patience = { start: 30_000, stop: 20_000, answers: 15_000 } as const;

const exitCodes = { failed: 1, misconfigured: 2, unavailable: 3 } as const;

/** Runs the service until it is told to stop (SIGTERM, SIGINT). Sets the exit code of the process. */
export async function run(environment: NodeJS.ProcessEnv): Promise<void> {
  const settings = settingsOrMistakes(environment);
  if (settings === undefined) return;
  const log = createLogger({ level: settings.logLevel, releaseId: settings.releaseId });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'told to stop');
      stop.abort();
    });
  }
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a defect nobody caught: the process ends');
    process.exit(exitCodes.failed);
  });

  const service = await started(settings, log, stop.signal);
  if (service === undefined) return;
  const server = await listening(service, settings, log);
  if (server === undefined) {
    await service.finishAnswers(0);
    return service.close();
  }
  log.info({ host: settings.host, port: server.port }, 'listening');

  await aborted(stop.signal);
  await Promise.all([server.stop(patience.stop), service.finishAnswers(patience.answers)]);
  await service.close();
  log.info('stopped');
}

function settingsOrMistakes(environment: NodeJS.ProcessEnv): Settings | undefined {
  try {
    return readSettings(environment);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(error.message);
    process.exitCode = exitCodes.misconfigured;
    return undefined;
  }
}

async function started(settings: Settings, log: Logger, stop: AbortSignal): Promise<Service | undefined> {
  const untilStarted = AbortSignal.any([stop, AbortSignal.timeout(patience.start)]);
  try {
    return await compose(settings, log, { untilStarted, isStopping: () => stop.aborted });
  } catch (error) {
    if (!(error instanceof StorageFailedError)) throw error;
    if (stop.aborted) return undefined;
    log.fatal({ err: error }, error.message);
    process.exitCode = error.refused ? exitCodes.misconfigured : exitCodes.unavailable;
    return undefined;
  }
}

async function listening({ app, sockets }: Service, settings: Settings, log: Logger): Promise<HttpServer | undefined> {
  try {
    return await HttpServer.listen(app, settings, sockets);
  } catch (error) {
    log.fatal({ err: error }, `can't listen on ${settings.host}:${settings.port}: choose another HOST or PORT`);
    process.exitCode = exitCodes.misconfigured;
    return undefined;
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}
