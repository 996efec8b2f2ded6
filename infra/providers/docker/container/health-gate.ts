import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { type InspectedContainer, inspectContainer } from './inspection.ts';

const askEvery = 300;

/**
 * Waits until a container's own health check says that it is healthy. Throws with what the check said last and the last
 * lines of the container's log when it does not within `seconds`, when it ends for good, or when it has no health check.
 *
 * The engine is asked again and again: its stream of events would hold a connection per waiting container, and over
 * ssh those are few.
 */
export async function untilHealthy(docker: Docker, id: string, seconds: number, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await inspectContainer(docker, id, signal);
    if (!found) throw new Error('the container was removed while it was starting');
    const { State, HostConfig } = found;
    if (State.Health?.Status === 'healthy') return;
    if (!State.Health && State.Running)
      throw new Error(
        'there is nothing to wait for: neither the image nor the program gives the container a health check. Add one, or leave "wait" out',
      );
    const endedForGood = !State.Running && HostConfig.RestartPolicy.Name === 'no';
    if (endedForGood || Date.now() > deadline) throw new Error(await whyNotHealthy(docker, found, seconds, signal));
    await delay(askEvery, undefined, { signal });
  }
}

async function whyNotHealthy(docker: Docker, found: InspectedContainer, seconds: number, signal: AbortSignal) {
  const { State, Name } = found;
  const name = Name.replace(/^\//, '');
  const fate = State.Running
    ? `did not become healthy within ${seconds} s`
    : `is not running (${State.Status}, exit code ${State.ExitCode}${State.Error ? `, ${State.Error}` : ''})`;
  const check = State.Health?.Log?.at(-1);
  const checked = check
    ? `its last health check ended with ${check.ExitCode}: ${check.Output.trim() || '(no output)'}`
    : 'no health check has ended yet';
  const log = await lastLogLines(docker, found.Id, 20, signal);
  return [
    `the container ${name} ${fate}; ${checked}`,
    log === '' ? 'Its log is empty.' : `The last lines of its log:\n${indented(log)}`,
    `It is left as it is, for a look: docker logs ${name}`,
  ].join('\n');
}

/** The end of a container's log, both streams, without the engine's framing. */
export async function lastLogLines(
  docker: Docker,
  id: string,
  lines: number,
  abortSignal: AbortSignal,
): Promise<string> {
  const container = docker.getContainer(id);
  const { Config } = (await inspectContainer(docker, id, abortSignal)) ?? { Config: { Tty: false } };
  const raw = await container.logs({ stdout: true, stderr: true, tail: lines, follow: false, abortSignal });
  return (Config.Tty ? raw.toString('utf8') : withoutFrames(raw)).trimEnd();
}

/** Each piece of a log comes with eight bytes in front: stream, three zeros, length. */
export function withoutFrames(framed: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= framed.length; ) {
    const length = framed.readUInt32BE(at + 4);
    pieces.push(framed.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(pieces).toString('utf8');
}

const indented = (text: string): string => text.replace(/^/gm, '  ');
