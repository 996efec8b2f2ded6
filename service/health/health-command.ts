import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { type HealthReport, healthReport, healthStatus } from './health.ts';

const usage = `--health [--format text|json] [--endpoint <url>]

Asks a running service how it is. Exit code: 0 it does its work, 1 it does not, 2 wrong use, 3 no answer.

  --format    text (default) or json
  --endpoint  default: /health of the service on this machine, at $PORT`;

const exitCodes = { healthy: 0, degraded: 0, unhealthy: 1, misused: 2, unavailable: 3 } as const;

/** Under five seconds, together with the start of the process. */
const patience = 4_500;

const answer = z.union([healthReport, z.object({ status: healthStatus })]);
type Answer = z.output<typeof answer>;

/** Prints the health of a service and returns the exit code. Runs in place of the service, as the image's HEALTHCHECK. */
export async function healthCommand(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const options = readArguments(args);
  if (options === undefined) return exitCodes.misused;
  const endpoint = options.endpoint ?? `http://127.0.0.1:${environment.PORT || 8079}/health`;
  let health: Answer;
  try {
    health = await ask(endpoint, await ownKey(endpoint, environment));
  } catch (error) {
    const reason = error instanceof Error ? `${error.message}${reasonBehind(error)}` : String(error);
    if (options.format === 'json') console.log(JSON.stringify({ status: 'unavailable', error: reason }));
    else console.log(`unavailable: ${endpoint} gives no health: ${reason}`);
    return exitCodes.unavailable;
  }
  console.log(options.format === 'json' ? JSON.stringify(health) : asText(health));
  return exitCodes[health.status];
}

function readArguments(args: readonly string[]): { format: string; endpoint: string | undefined } | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        health: { type: 'boolean' },
        format: { type: 'string', default: 'text' },
        endpoint: { type: 'string' },
      },
    });
    const { format, endpoint } = values;
    if (!['text', 'json'].includes(format)) throw new Error(`--format ${format} is neither text nor json`);
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

async function ask(endpoint: string, key: string | undefined): Promise<Answer> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const reply = await fetch(endpoint, { headers, signal: AbortSignal.timeout(patience) });
  return answer.parse(await reply.json());
}

function asText(health: Answer): string {
  if (!('checks' in health)) return health.status;
  const { status, release_id: release, storage } = health;
  const lines = Object.entries(health.checks).map(checkLine);
  const warning = storage.warning === undefined ? [] : [`  warning: ${storage.warning}`];
  const tiers = storage.tiers.join(', ') || 'none';
  return [`${status}: release ${release}, storage ${storage.backend}, tiers ${tiers}`, ...warning, ...lines].join('\n');
}

function checkLine([name, { status, response_time_ms: ms, error }]: [string, HealthReport['checks'][string]]): string {
  return `  ${name.padEnd(10)} ${status.padEnd(5)} ${ms.toFixed(1)} ms${error === undefined ? '' : `  ${error}`}`;
}

function reasonBehind({ cause }: Error): string {
  if (!(cause instanceof Error)) return '';
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
  return ` (${code})`;
}
