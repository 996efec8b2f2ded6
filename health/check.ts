import { type HealthAnswer, type HealthReport, healthAnswer } from './report.ts';
import { within } from './within.ts';

/** Exit codes of whatever asks for the health of a service. `degraded` works, with less than was configured. */
export const healthExit = { healthy: 0, degraded: 0, unhealthy: 1, misconfigured: 2, unavailable: 3 } as const;

export const healthFormats = ['text', 'json'] as const;
export type HealthFormat = (typeof healthFormats)[number];

export interface HealthQuestion {
  /** Address of `/health`; it is named when there is no answer. */
  readonly endpoint: string;
  readonly format: HealthFormat;
  /** Milliseconds until it counts as unavailable. */
  readonly patience: number;
  /** The body of the answer, whatever its status. */
  ask(signal: AbortSignal): Promise<unknown>;
}

/** Asks a service how it is. Gives what to print, and the exit code. Never takes longer than its patience. */
export async function checkHealth(
  question: HealthQuestion,
): Promise<{ readonly output: string; readonly exit: number }> {
  const { endpoint, format } = question;
  const patience = Math.round(question.patience);
  try {
    const health = healthAnswer.parse(await within(patience, question.ask));
    return { output: format === 'json' ? JSON.stringify(health) : asText(health), exit: healthExit[health.status] };
  } catch (error) {
    const reason = reasonOf(error);
    const output =
      format === 'json'
        ? JSON.stringify({ status: 'unavailable', error: reason })
        : `unavailable: ${endpoint} gives no health: ${reason}`;
    return { output, exit: healthExit.unavailable };
  }
}

/** The body of the answer to a plain GET. */
export async function getHealth(endpoint: string, key: string | undefined, signal: AbortSignal): Promise<unknown> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const reply = await fetch(endpoint, { headers, signal });
  return reply.json();
}

function asText(health: HealthAnswer): string {
  if (!('checks' in health)) return health.status;
  const { status, release_id: release, storage } = health;
  const lines = Object.entries(health.checks).map(checkLine);
  const warning = storage.warning === undefined ? [] : [`  warning: ${storage.warning}`];
  const tiers = storage.tiers.join(', ') || 'none';
  return [`${status}: release ${release}, storage ${storage.backend}, tiers ${tiers}`, ...warning, ...lines].join('\n');
}

function checkLine([name, { status, response_time_ms: ms, error }]: [string, HealthReport['checks'][string]]): string {
  const time = `${ms.toFixed(1)} ms`.padStart(10);
  return `  ${name.padEnd(10)} ${status.padEnd(4)} ${time}${error === undefined ? '' : `  ${error}`}`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'ZodError') return 'that is another kind of answer';
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return `${error.message} (${'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message})`;
}
