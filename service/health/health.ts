import type { HealthReport, HealthStatus } from '../../health/report.ts';
import { within } from '../../health/within.ts';
import type { Tier } from '../conversation/conversation.ts';
import type { Probe } from '../conversation/conversation-store.ts';

/** What there is to look at. */
export interface Examined {
  readonly releaseId: string;
  readonly backend: string;
  readonly warning: string | undefined;
  readonly probes: readonly Probe[];
  tiers(): readonly Tier[];
}

/** The longest that a probe may take, in ms: the whole check stays under five seconds. */
const patience = 2_500;
/** How long an answer for just anybody may be old, in ms: they can't make the service ask its neighbours without end. */
const remembered = 1_000;

export class Health {
  readonly #examined: Examined;
  #last: { readonly at: number; readonly report: Promise<HealthReport> } | undefined;

  constructor(examined: Examined) {
    this.#examined = examined;
  }

  /** Asks every probe, all at once. */
  async examine(): Promise<HealthReport> {
    const { releaseId, backend, warning, probes } = this.#examined;
    const outcomes = await Promise.all(probes.map(examineOne));
    const isDown = (required: boolean) =>
      outcomes.some(({ probe, status }) => probe.required === required && status === 'down');
    return {
      status: isDown(true) ? 'unhealthy' : isDown(false) || warning !== undefined ? 'degraded' : 'healthy',
      release_id: releaseId,
      uptime_seconds: Math.round(process.uptime()),
      storage: { backend, tiers: [...this.#examined.tiers()], ...(warning === undefined ? {} : { warning }) },
      checks: Object.fromEntries(outcomes.map(({ probe, ...outcome }) => [probe.name, outcome])),
    };
  }

  /** The status by itself, up to a second old. */
  async status(): Promise<HealthStatus> {
    if (this.#last === undefined || Date.now() - this.#last.at > remembered) {
      this.#last = { at: Date.now(), report: this.examine() };
    }
    return (await this.#last.report).status;
  }
}

async function examineOne(probe: Probe) {
  const started = performance.now();
  const elapsed = () => Math.round((performance.now() - started) * 10) / 10;
  try {
    await within(patience, (signal) => probe.answer(signal));
    return { probe, status: 'up' as const, response_time_ms: elapsed() };
  } catch (error) {
    return { probe, status: 'down' as const, response_time_ms: elapsed(), error: reasonOf(error) };
  }
}

/** The message of an error and of what caused it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `: ${reasonOf(error.cause)}`;
  return `${error.message}${cause}`.slice(0, 500);
}
