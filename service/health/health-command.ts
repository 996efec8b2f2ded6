import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { checkHealth, getHealth, type HealthFormat, healthExit, healthFormats } from '../../health/check.ts';

const usage = `--health [--format text|json] [--endpoint <url>]

Asks a running service how it is. Exit code: 0 it does its work, 1 it does not, 2 wrong use, 3 no answer.

  --format    text (default) or json
  --endpoint  default: /health of the service on this machine, at $PORT`;

/** What is left of the five seconds, in ms, once the process has started. */
const patience = () => Math.max(1_000, 4_500 - process.uptime() * 1000);

/** Prints the health of a service and returns the exit code. Runs in place of the service, as the image's HEALTHCHECK. */
export async function healthCommand(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const options = readArguments(args);
  if (options === undefined) return healthExit.misconfigured;
  const endpoint = options.endpoint ?? `http://127.0.0.1:${environment.PORT || 8079}/health`;
  const key = await ownKey(endpoint, environment);
  const ask = (signal: AbortSignal) => getHealth(endpoint, key, signal);
  const { output, exit } = await checkHealth({ endpoint, format: options.format, patience: patience(), ask });
  console.log(output);
  return exit;
}

function readArguments(args: readonly string[]): { format: HealthFormat; endpoint: string | undefined } | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        health: { type: 'boolean' },
        format: { type: 'string', default: 'text' },
        endpoint: { type: 'string' },
      },
    });
    const { endpoint } = values;
    const format = healthFormats.find((name) => name === values.format);
    if (format === undefined) throw new Error(`--format ${values.format} is neither text nor json`);
    if (endpoint !== undefined && !URL.canParse(endpoint)) throw new Error(`--endpoint ${endpoint} is no address`);
    return { format, endpoint };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return undefined;
  }
}

/** The secret key, for the whole report; it goes to this machine only. */
async function ownKey(endpoint: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const file = environment.SUPABASE_SECRET_KEY_FILE;
  if (!file || !['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname)) return undefined;
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    return undefined; // the status by itself does not take a key
  }
}
