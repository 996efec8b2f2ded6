import { z } from 'zod';
import { asRoot, rootScript, writeFile } from '../box-command.ts';
import { BoxProblem } from '../problem.ts';
import { type BoxStep, inPlace, missing } from '../step.ts';

const file = '/etc/docker/daemon.json';
const configuration = z.record(z.string(), z.unknown());

export const dockerEngine: BoxStep = {
  name: 'Docker engine',
  remedy: 'See on the box what stops it: sudo journalctl -u docker --no-pager -n 50',
  check: () =>
    asRoot(
      'sh',
      '-c',
      'systemctl is-enabled docker; systemctl is-active docker; docker version --format {{.Server.Version}}',
    ),
  judge: ({ stdout }) => {
    const [enabled, active, version] = stdout.split('\n');
    if (enabled === 'enabled' && active === 'active' && version) return inPlace(version);
    return missing('start it, and have it started with the box');
  },
  apply: () => [asRoot('systemctl', 'enable', '--now', 'containerd', 'docker')],
};

/**
 * What the engine's configuration has to say, beside all that it says already: logs that don't fill the disk, and
 * containers that outlive a restart of the engine. A log driver that somebody chose stays, with its options.
 *
 * @throws BoxProblem when the text is no JSON object
 */
export function mergedConfiguration(text: string): Record<string, unknown> {
  const given = text.trim() === '' ? {} : parsed(text);
  const rotation = { 'max-size': '10m', 'max-file': '5' };
  const driver = given['log-driver'] ?? 'json-file';
  const options = configuration.catch({}).parse(given['log-opts']);
  const logs =
    driver === 'json-file'
      ? { 'log-driver': driver, 'log-opts': { ...rotation, ...options } }
      : { 'log-driver': driver };
  return { ...given, ...logs, 'live-restore': true };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return configuration.parse(JSON.parse(text));
  } catch (cause) {
    throw new BoxProblem(
      `${file} on the box is no JSON object, so the engine does not start with it, and nothing can be added`,
      `Mend it there, or move it away: sudo mv ${file} ${file}.bad`,
      { cause },
    );
  }
}

/**
 * Live-restore is switched on by a reload first: the restart, which the logs need, then leaves containers running. An
 * engine that does not start with the new file gets its old one back.
 */
const takeConfiguration = rootScript(
  `cd /etc/docker`,
  `if [ -e daemon.json ]; then cp -p daemon.json daemon.json.before; else rm -f daemon.json.before; fi`,
  `mv daemon.json.wanted daemon.json`,
  `systemctl reload docker || true`,
  `if systemctl restart docker; then rm -f daemon.json.before; exit 0; fi`,
  `journalctl -u docker --no-pager -n 8 >&2`,
  `if [ -e daemon.json.before ]; then mv daemon.json.before daemon.json; else rm daemon.json; fi`,
  `systemctl reset-failed docker docker.socket; systemctl restart docker`,
  `echo 'the engine did not start with the new daemon.json, and has its old one back' >&2`,
  `exit 1`,
);

export const engineConfiguration: BoxStep = {
  name: 'Engine configuration',
  remedy: `Compare ${file} on the box with docs/boxes.md, then run the same command again`,
  check: () => asRoot('sh', '-c', `docker info --format 'live-restore {{.LiveRestoreEnabled}}'; cat ${file}`),
  judge: ({ stdout }) => {
    const [running, ...text] = stdout.split('\n');
    const given = text.join('\n');
    const isRunning = running === 'live-restore true';
    // Without an engine, the first line may be the file's.
    const known = running?.startsWith('live-restore') ? given : stdout;
    const wanted = mergedConfiguration(known);
    const isWritten = known.trim() !== '' && isSame(JSON.parse(known), wanted);
    if (isRunning && isWritten) return inPlace('logs are rotated, containers outlive its restart');
    return missing(`rotate logs (5 of 10 MB per container), live-restore: merged into ${file}, engine restarted`);
  },
  apply: (_wishes, _facts, { stdout }) => {
    const known = stdout.startsWith('live-restore') ? stdout.split('\n').slice(1).join('\n') : stdout;
    const text = `${JSON.stringify(mergedConfiguration(known), null, 2)}\n`;
    return [writeFile(`${file}.wanted`, text), takeConfiguration];
  },
};

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** Objects with their keys in order; what else there is stays. */
function sorted(value: unknown): unknown {
  const fields = configuration.safeParse(value);
  if (Array.isArray(value) || !fields.success) return value;
  const names = Object.keys(fields.data).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(fields.data[name])]));
}
