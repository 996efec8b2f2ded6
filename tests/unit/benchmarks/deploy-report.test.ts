import { expect, it } from 'vitest';
import type { Measurement, Phase } from '../../../benchmarks/deploy/measurement.ts';
import { page } from '../../../benchmarks/deploy/report.ts';
import { operations } from '../../../benchmarks/deploy/rounds.ts';

const machine = {
  processor: 'a processor',
  cores: 2,
  memory_gib: 8,
  kernel: '6',
  node: '24',
  load: 0.1,
  docker: '20.10',
  docker_compose: '2.40.3',
};
const summary = (worst: number, failed = 0) => ({ requests: 300, failed, p50: 10, p99: 30, worst });
const measurement = (operation: string, more: Partial<Measurement> = {}): Measurement => ({
  operation,
  round: 1,
  took: 12_000,
  toSwitch: undefined,
  parts: undefined,
  rollback: undefined,
  idle: summary(40),
  switching: undefined,
  preparing: [],
  whole: summary(60),
  gaps: [],
  ...more,
});
const phase = (who: Phase['who'], more: Partial<Phase> = {}): Phase => ({
  who,
  round: 1,
  requests: 1000,
  failed: 0,
  failures: [],
  acknowledged: 333,
  stored: 333,
  lost: [],
  doubled: [],
  misnumbered: [],
  stale: 0,
  outOfTurn: 0,
  ...more,
});
const parts = { program: 5000, write: 2000, read: 2000, switch: 100, retire: 500, end: 400, switchedAt: 9000 };

const text = page(
  machine,
  { rounds: 1, rate: 30, releases: ['good'], changes: 1 },
  {
    measurements: [
      measurement(operations.release, {
        toSwitch: 9500,
        parts,
        switching: summary(90),
        preparing: [summary(55)],
        gaps: [
          { ms: 30, code: 1012, refused: 0 },
          { ms: undefined, code: 1006, refused: 2 },
        ],
      }),
      measurement(operations.unchanged, { took: 3000 }),
      measurement(operations.failingDeploy, { rollback: { took: 8000, exposed: 2500 } }),
      measurement(operations.change, { switching: summary(4000, 7) }),
      measurement(operations.composeUnchanged, { took: 1000 }),
    ],
    phases: [phase('conversation-kit'), phase('Docker Compose', { failed: 7, failures: ['GET was answered 502: x'] })],
  },
);
const line = (beginning: string) => text.split('\n').find((candidate) => candidate.startsWith(`| ${beginning} |`));

it('says what clients lost, and why', () => {
  expect(line('conversation-kit')).toBe('| conversation-kit | 1,000 | 0 | 333 | 0 | 0 | 0 | 0 | 0 |');
  expect(line('Docker Compose')).toContain('| 1,000 | 7 |');
  expect(text).toContain('- Docker Compose: GET was answered 502: x');
});

it('sets the worst of each window beside that of the quiet one before it', () => {
  expect(line('a release: around the switch')).toMatch(/\| 1 \| 0 \| .*\| 90 \(90–90\) \| 50 \(50–50\) \|$/);
  expect(line('`npm run up` at work: program, gates')).toMatch(/\| 15 \(15–15\) \|$/);
  expect(line(operations.change)).toMatch(/\| 1 \| 7 \| .*\| 4,000 \(4,000–4,000\) \| 3,960 \(3,960–3,960\) \|$/);
});

it('keeps the quiet windows of the kit and of Docker Compose apart', () => {
  expect(line('nothing going on')).toMatch(/^\| nothing going on \| 3 \|/);
  expect(line('Docker Compose: nothing going on')).toMatch(/\| 2 \|/);
});

it('tells of WebSockets that were never resumed', () => {
  const told = text.slice(text.indexOf('### WebSockets'));
  expect(told).toContain('| a release | 2 | 1012, 1006 | 1 | 2 | 30 (30–30) |');
});

it('gives times in seconds, the parts of a release, and the ratio of what changes nothing', () => {
  expect(text).toContain('| a release | 12 (12–12) | 9.5 (9.5–9.5) |');
  expect(text).toContain('| the switch | 0.10 (0.10–0.10) |');
  expect(text).toContain('the rollback takes 8.0 (8.0–8.0) s');
  expect(text).toContain('× 3.0 (3.0–3.0) of `docker compose up -d`');
});
