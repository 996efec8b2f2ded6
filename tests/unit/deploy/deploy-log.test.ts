import { describe, expect, it } from 'vitest';
import {
  type DeployBegin,
  type DeployEnd,
  failedDeploys,
  interruptedDeploys,
  parseDeployLog,
} from '../../../scripts/deploy/deploy-log.ts';
import { historyRows } from '../../../scripts/deploy/history.ts';

const begin = (id: string, at: string): DeployBegin => ({
  event: 'begin',
  id,
  at,
  who: 'ada',
  machine: 'desk',
  from: 'aaaaaaaaaa',
  commit: null,
});
const end = (id: string, at: string, verdict: DeployEnd['verdict'] = 'deployed'): DeployEnd => ({
  event: 'end',
  id,
  at,
  verdict,
  to: 'bbbbbbbbbb',
  reason: null,
  steps: [{ name: 'Update', milliseconds: 1500, result: 'done' }],
});
const lines = (...entries: object[]) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');

describe('the log of deploys', () => {
  it('tells those that have ended from those that were killed', () => {
    const log = parseDeployLog(
      lines(begin('1', '2026-04-01T09:00:00Z'), begin('2', '2026-04-01T10:00:00Z'), end('2', '2026-04-01T10:01:00Z')),
    );
    expect(log.tornLines).toBe(0);
    expect(interruptedDeploys(log).map(({ id }) => id)).toEqual(['1']);
  });

  it('takes a torn last line for what it is, and goes on behind it', () => {
    const whole = lines(begin('1', '2026-04-01T09:00:00Z'), end('1', '2026-04-01T09:01:00Z'));
    const torn = `${whole}${lines(begin('2', '2026-04-01T10:00:00Z')).slice(0, 30)}`;
    expect(parseDeployLog(torn)).toMatchObject({ tornLines: 1, deploys: [{ begin: { id: '1' } }] });
    const later = parseDeployLog(`${torn}\n${lines(begin('3', '2026-04-01T11:00:00Z'))}`);
    expect(later).toMatchObject({ tornLines: 1, deploys: [{ begin: { id: '1' } }, { begin: { id: '3' } }] });
  });

  it('tells which came through and failed afterwards', () => {
    const at = '2026-04-01T09:00:00Z';
    const ended = ['deployed', 'rolled back', 'stopped', 'not rolled back'] as const;
    const log = parseDeployLog(lines(...ended.flatMap((verdict) => [begin(verdict, at), end(verdict, at, verdict)])));
    expect([...failedDeploys(log).keys()]).toEqual(['rolled back', 'not rolled back']);
  });
});

describe('the history of a stack', () => {
  const update = (number: number, at: string, message = 'by hand') => ({
    number,
    kind: 'up' as const,
    at: new Date(at),
    result: 'succeeded' as const,
    message,
    manifest: undefined,
  });

  it('has every update once, with the deploy that made it or by itself, the newest first', () => {
    const { deploys } = parseDeployLog(
      lines(
        begin('20260401_100000-7', '2026-04-01T10:00:00.900Z'),
        end('20260401_100000-7', '2026-04-01T10:05:00.000Z', 'rolled back'),
      ),
    );
    const rows = historyRows(deploys, [
      update(4, '2026-04-01T11:00:00Z'),
      update(3, '2026-04-01T10:04:59Z', 'rollback to 1'),
      update(2, '2026-04-01T10:02:00Z', 'deploy 20260401_100000-7 by ada'),
      update(1, '2026-04-01T09:00:00Z'),
    ]);
    expect(rows.map(({ by, updates, verdict }) => [by, updates, verdict])).toEqual([
      ['update', [4], 'succeeded'],
      ['deploy', [2, 3], 'rolled back'],
      ['update', [1], 'succeeded'],
    ]);
  });

  it('gives a deploy that was killed its own updates, and not those that people made until it was noticed', () => {
    const { deploys } = parseDeployLog(
      lines(begin('1', '2026-04-01T10:00:00Z'), end('1', '2026-04-02T08:00:00Z', 'interrupted')),
    );
    const rows = historyRows(deploys, [
      update(2, '2026-04-01T12:00:00Z'),
      update(1, '2026-04-01T10:01:00Z', 'deploy 1 by ada'),
    ]);
    expect(rows.map(({ by, updates }) => [by, updates])).toEqual([
      ['update', [2]],
      ['deploy', [1]],
    ]);
  });
});
