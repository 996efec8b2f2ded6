import { type Machine, machineRows } from '../machine.ts';
import { markdown } from '../markdown.ts';
import { ratios, spread } from '../statistics.ts';
import { type Measurement, type Phase, windowLength } from './measurement.ts';
import { type Effort, operations, type Results } from './rounds.ts';
import type { Summary } from './sample.ts';

export interface MachineWithEngine extends Machine {
  readonly docker: string;
  readonly docker_compose: string;
}

const seconds = windowLength / 1000;

/** The whole document: machine, promises, stalls, WebSockets, times. */
export function page(machine: MachineWithEngine, effort: Effort, { measurements, phases }: Results): string {
  return [
    '# Benchmark of a release',
    '',
    `Under a steady load through Caddy: ${effort.rate} requests a second that arrive on schedule, whether those before them were`,
    'answered or not (a third appends, the rest reads; each is sent once and timed from when it was due), and 16 WebSocket',
    `subscribers that connect again when they are cut. ${effort.rounds} rounds; in each the kit's releases, then the same containers`,
    'on the same volumes under Docker Compose, behind the same Caddy, which tries for 10 s to reach a service that is not there.',
    'Medians, and their range. `npm run benchmark -- deploy` writes this file.',
    '',
    markdown(['machine', ''], machineRows(machine)),
    '',
    '### What clients lost',
    '',
    promises(phases),
    '',
    `### What clients waited, in windows of ${seconds} s`,
    '',
    stalls(measurements),
    '',
    '### WebSockets',
    '',
    interruptions(measurements),
    '',
    '### What a command takes',
    '',
    times(measurements),
    '',
    '### A release, part by part',
    '',
    parts(measurements),
  ].join('\n');
}

function promises(phases: readonly Phase[]): string {
  const names = [...new Set(phases.map(({ who }) => who))];
  const rows = names.map((name) => {
    const own = phases.filter(({ who }) => who === name);
    const sum = (count: (phase: Phase) => number) =>
      own.reduce((total, phase) => total + count(phase), 0).toLocaleString('en');
    return [
      name,
      sum(({ requests }) => requests),
      sum(({ failed }) => failed),
      sum(({ acknowledged }) => acknowledged),
      sum(({ lost }) => lost.length),
      sum(({ doubled }) => doubled.length),
      sum(({ misnumbered }) => misnumbered.length),
      sum(({ stale }) => stale),
      sum(({ outOfTurn }) => outOfTurn),
    ];
  });
  const head = ['', 'requests', 'failed', 'appends acknowledged', 'lost', 'doubled', 'conversations misnumbered'];
  const said = phases.flatMap(({ who, failures }) => failures.map((failure) => `- ${who}: ${failure}`));
  const table = markdown([...head, 'stale reads', 'events out of turn'], rows);
  return said.length === 0 ? table : `${table}\n\n${[...new Set(said)].join('\n')}`;
}

/** A kind of window: which of them, and what the same load waited in the quiet window before each. */
interface Kind {
  readonly name: string;
  readonly windows: readonly { readonly own: Summary; readonly idle: Summary }[];
}

function stalls(measurements: readonly Measurement[]): string {
  const isCompose = ({ operation }: Measurement) => composeOperations.includes(operation);
  const idle = (name: string, own: readonly Measurement[]): Kind => ({
    name,
    windows: own.map((entry) => ({ own: entry.idle, idle: entry.idle })),
  });
  const switching = [...new Set(measurements.map(({ operation }) => operation))].map((operation) => ({
    name: operation === operations.release ? `${operation}: around the switch` : operation,
    windows: measurements
      .filter((entry) => entry.operation === operation)
      .flatMap((entry) => (entry.switching ? [{ own: entry.switching, idle: entry.idle }] : [])),
  }));
  const preparing = {
    name: '`npm run up` at work: program, gates',
    windows: measurements
      .filter((entry) => !isCompose(entry))
      .flatMap((entry) => entry.preparing.map((own) => ({ own, idle: entry.idle }))),
  };
  const kinds = [
    idle(
      'nothing going on',
      measurements.filter((entry) => !isCompose(entry)),
    ),
    preparing,
    ...switching.filter(({ name }) => !composeOperations.includes(name)),
    idle('Docker Compose: nothing going on', measurements.filter(isCompose)),
    ...switching.filter(({ name }) => composeOperations.includes(name)),
  ].filter(({ windows }) => windows.length > 0);
  const rows = kinds.map(({ name, windows }) => {
    const of = (figure: (summary: Summary) => number) => windows.map(({ own }) => figure(own));
    return [
      name,
      String(windows.length),
      of(({ failed }) => failed)
        .reduce((total, failed) => total + failed, 0)
        .toLocaleString('en'),
      spread(of(({ p50 }) => p50)),
      spread(of(({ p99 }) => p99)),
      spread(of(({ worst }) => worst)),
      name.endsWith('nothing going on') ? '' : spread(windows.map(({ own, idle: quiet }) => own.worst - quiet.worst)),
    ];
  });
  const head = ['', 'windows', 'failed', 'p50, ms', 'p99, ms', 'worst, ms', 'worst beyond the quiet window before, ms'];
  return markdown(head, rows);
}

const composeOperations: readonly string[] = [operations.change, operations.badChange, operations.composeUnchanged];

function interruptions(measurements: readonly Measurement[]): string {
  const rows = [...new Set(measurements.map(({ operation }) => operation))].map((operation) => {
    const gaps = measurements.filter((entry) => entry.operation === operation).flatMap((entry) => entry.gaps);
    const resumed = gaps.flatMap(({ ms }) => (ms === undefined ? [] : [ms]));
    const codes = [...new Set(gaps.map(({ code }) => code))].join(', ');
    return [
      operation,
      String(gaps.length),
      codes || '–',
      String(gaps.length - resumed.length),
      String(gaps.reduce((total, { refused }) => total + refused, 0)),
      resumed.length === 0 ? '–' : spread(resumed),
    ];
  });
  return markdown(
    ['', 'cut', 'close code', 'never resumed', 'refused meanwhile', 'closed until subscribed again, ms'],
    rows,
  );
}

function times(measurements: readonly Measurement[]): string {
  const names = [...new Set(measurements.map(({ operation }) => operation))];
  const of = (operation: string, figure: (entry: Measurement) => number | undefined) =>
    measurements.filter((entry) => entry.operation === operation).flatMap((entry) => figure(entry) ?? []);
  const rows = names.map((name) => {
    const switched = of(name, ({ toSwitch }) => toSwitch);
    return [
      name,
      spread(of(name, ({ took }) => took / 1000)),
      switched.length === 0 ? '–' : spread(switched.map((value) => value / 1000)),
    ];
  });
  const rollbacks = measurements.flatMap(({ rollback }) => rollback ?? []);
  const back =
    rollbacks.length === 0
      ? []
      : [
          `Of the deploy that fails, the rollback takes ${spread(rollbacks.map(({ took }) => took / 1000))} s; clients were`,
          `answered by the release that was taken back for ${spread(rollbacks.map(({ exposed }) => exposed / 1000))} s.`,
        ];
  const unchanged = of(operations.unchanged, ({ took }) => took);
  const beside = of(operations.composeUnchanged, ({ took }) => took);
  return [
    markdown(['', 'whole command, s', 'until a client was answered by the new release, s'], rows),
    '',
    ...back,
    `With nothing changed, \`npm run up\` takes × ${spread(ratios(unchanged, beside))} of \`docker compose up -d\`.`,
  ].join('\n');
}

const partNames = {
  program: 'the command, Pulumi, the program, its preflight',
  write: 'green is made, starts, and writes what it tests itself with',
  read: 'green is restarted, and finds it again',
  switch: 'the switch',
  retire: 'blue finishes, stops, is removed',
  end: 'the rest of the command',
} as const;

function parts(measurements: readonly Measurement[]): string {
  const keys = Object.keys(partNames) as (keyof typeof partNames)[];
  const rows = keys.flatMap((key) => {
    const values = measurements.flatMap(({ operation, parts: found }) =>
      operation === operations.release && found?.[key] !== undefined ? [found[key] / 1000] : [],
    );
    return values.length === 0 ? [] : [[partNames[key], spread(values)]];
  });
  return markdown(['', 's'], rows);
}
