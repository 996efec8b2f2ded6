import type { Update } from '../releases/updates.ts';
import { table } from '../report.ts';
import { duration } from '../setup/duration.mjs';
import type { LoggedDeploy, TimedStep } from './deploy-log.ts';

/** One line of a stack's history: a deploy with its updates, or an update that no deploy has made. */
export interface HistoryRow {
  /** When it began; for an update without a deploy, when it ended. ISO time. */
  readonly at: string;
  readonly by: 'deploy' | 'update' | 'destroy';
  readonly who: string | null;
  readonly machine: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly commit: string | null;
  /** Numbers in the backend's history. */
  readonly updates: readonly number[];
  /** Of a deploy its own, `running` without one; of an update how it ended. */
  readonly verdict: string;
  readonly reason: string | null;
  readonly steps: readonly TimedStep[];
}

type KnownUpdate = Pick<Update, 'number' | 'kind' | 'at' | 'result' | 'message' | 'manifest'>;

/**
 * Deploys and updates as one list, the newest first. An update belongs to the deploy that its message names, or that ran
 * when it ended: the rollback that a deploy made by itself.
 */
export function historyRows(deploys: readonly LoggedDeploy[], updates: readonly KnownUpdate[]): HistoryRow[] {
  const owned = new Map<string, KnownUpdate[]>();
  const free: KnownUpdate[] = [];
  for (const update of updates) {
    const owner = deploys.find((deploy) => isOf(update, deploy));
    if (owner) owned.set(owner.begin.id, [...(owned.get(owner.begin.id) ?? []), update]);
    else free.push(update);
  }
  const rows = [
    ...deploys.map((deploy) => deployRow(deploy, owned.get(deploy.begin.id) ?? [])),
    ...free.map(updateRow),
  ];
  return rows.sort((left, right) => (left.at < right.at ? 1 : -1));
}

function isOf({ at, message, result }: KnownUpdate, { begin, end }: LoggedDeploy): boolean {
  if (message.includes(`deploy ${begin.id}`)) return true;
  if (!end || end.verdict === 'interrupted' || result === 'in-progress') return false;
  const time = at.getTime();
  // The backend counts whole seconds.
  return time >= Math.floor(Date.parse(begin.at) / 1000) * 1000 && time <= Date.parse(end.at);
}

function deployRow({ begin, end }: LoggedDeploy, updates: readonly KnownUpdate[]): HistoryRow {
  const { at, who, machine, from, commit } = begin;
  return {
    at,
    by: 'deploy',
    who,
    machine,
    from,
    to: end?.to ?? null,
    commit,
    updates: updates.map(({ number }) => number).sort((left, right) => left - right),
    verdict: end?.verdict ?? 'running',
    reason: end?.reason ?? null,
    steps: end?.steps ?? [],
  };
}

function updateRow({ number, kind, at, result, message, manifest }: KnownUpdate): HistoryRow {
  return {
    at: at.toISOString(),
    by: kind === 'up' ? 'update' : 'destroy',
    who: null,
    machine: null,
    from: null,
    to: manifest?.release ?? null,
    commit: manifest?.program.commit ?? null,
    updates: [number],
    verdict: result,
    reason: message || null,
    steps: [],
  };
}

export function historyTable(rows: readonly HistoryRow[]): string {
  const lines = rows.map(({ at, by, who, machine, from, to, commit, updates, verdict, steps }) => [
    at.slice(0, 19).replace('T', ' '),
    who === null ? by : `${by} by ${who}@${machine}`,
    updates.join(', ') || '-',
    from ?? '-',
    to ?? '-',
    commit?.slice(0, 7) ?? '-',
    steps.length === 0 ? '-' : duration(steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0)),
    verdict,
  ]);
  return table(['when (UTC)', 'what', 'updates', 'from', 'to', 'commit', 'took', 'verdict'], lines);
}
