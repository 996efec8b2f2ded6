import { pino } from 'pino';
import { ConfigurationError, readConfiguration } from './config.ts';
import { startEmbeddedSupabase } from './start.ts';

/** The process: environment, log, signals. Ends with 2 for a wrong environment, 1 when it can't get ready. */
async function main(): Promise<void> {
  const { settings, logLevel } = configurationOrExit();
  const log = pino({ level: logLevel, base: { role: 'supabase' } });
  redirectConsole(log);

  const supabase = await startEmbeddedSupabase(settings, log).catch((error: unknown) => {
    log.fatal({ err: error }, 'could not start: check HOST, PORT and STORAGE_DIR');
    process.exit(1);
  });
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    supabase.close().then(
      () => {
        log.info('stopped');
        process.exit(0); // also while a session of PostgreSQL still hangs
      },
      (error: unknown) => {
        log.error({ err: error }, 'could not stop in good order');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  try {
    await supabase.ready;
  } catch (error) {
    if (stopping) return; // told to stop while it waited for PostgreSQL
    log.fatal({ err: error }, 'could not get ready: check DATABASE_* and that DATABASE_USER is a superuser');
    process.exitCode = 1;
    await supabase.close();
  }
}

function configurationOrExit(): ReturnType<typeof readConfiguration> {
  try {
    return readConfiguration(process.env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

/**
 * lite writes errors of requests to the console, PostgreSQL's among them: they belong into the log, at debug, and without
 * their words, which quote the rows.
 */
function redirectConsole(log: pino.Logger): void {
  const write = (...parts: unknown[]) => {
    const error = parts.find((part) => part instanceof Error);
    log.debug(error === undefined ? {} : { type: error.name, code: 'code' in error ? error.code : undefined }, 'lite');
  };
  console.log = write;
  console.info = write;
  console.warn = write;
  console.error = write;
}

await main();
