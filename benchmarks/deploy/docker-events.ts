import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Window } from './sample.ts';

/** Something that happened to a container. */
export interface ContainerEvent {
  /** Milliseconds, on the clock of `performance.now()`. */
  readonly at: number;
  readonly container: string;
  /** In the engine's words: `create`, `health_status: healthy`, `exec_create: <command>`, `destroy` … */
  readonly action: string;
}

const line = z.object({
  Action: z.string(),
  Actor: z.object({ Attributes: z.looseObject({ name: z.string() }) }),
  timeNano: z.number(),
});

/** Writes down what happens to the containers of a stack. */
export class DockerEvents {
  readonly events: ContainerEvent[] = [];
  readonly #follower;

  constructor(namespace: string) {
    const filters = ['--filter', 'type=container', '--filter', `label=conversation-kit.stack=${namespace}`];
    this.#follower = spawn('docker', ['events', '--format', '{{json .}}', ...filters], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface(this.#follower.stdout).on('line', (text) => this.events.push(parseEvent(text)));
  }

  stop(): void {
    this.#follower.kill();
  }
}

function parseEvent(text: string): ContainerEvent {
  const { Action, Actor, timeNano } = line.parse(JSON.parse(text));
  return { at: timeNano / 1e6 - performance.timeOrigin, container: Actor.Attributes.name, action: Action };
}

/** The parts of an update that changed the release, in ms; undefined where a part was not reached. */
export interface ReleaseParts {
  /** From the command until the engine makes green: the command, Pulumi, the program, its preflight, the difference. */
  readonly program: number | undefined;
  /** From there until green says that it is healthy. */
  readonly health: number | undefined;
  /** From there until the switch begins: green's test of itself. */
  readonly selfTest: number | undefined;
  /** The command in Caddy's container. */
  readonly switch: number | undefined;
  /** From there until blue is gone: it finishes what is under way. */
  readonly retire: number | undefined;
  /** From there until the command ends. */
  readonly end: number | undefined;
  /** The moment of the switch itself. */
  readonly switchedAt: number | undefined;
}

/** Finds the parts of one update in what happened meanwhile. */
export function releaseParts(events: readonly ContainerEvent[], command: Window): ReleaseParts {
  const own = events.filter(({ at }) => at >= command.from && at <= command.to);
  const first = (from: number | undefined, matches: (event: ContainerEvent) => boolean) =>
    from === undefined ? undefined : own.find((event) => event.at >= from && matches(event));
  const green = first(command.from, ({ action, container }) => action === 'create' && /-service-/.test(container));
  const ofGreen = (action: string) => (event: ContainerEvent) =>
    event.container === green?.container && event.action === action;
  const healthy = first(green?.at, ofGreen('health_status: healthy'));
  const switching = first(healthy?.at, ({ action }) => /^exec_create: .*switch-release/.test(action));
  const switched = first(
    switching?.at,
    ({ action, container }) => action === 'exec_die' && container === switching?.container,
  );
  const gone = first(
    switched?.at,
    ({ action, container }) => action === 'destroy' && /-service-/.test(container) && container !== green?.container,
  );
  const between = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? undefined : to - from;
  return {
    program: between(command.from, green?.at),
    health: between(green?.at, healthy?.at),
    selfTest: between(healthy?.at, switching?.at),
    switch: between(switching?.at, switched?.at),
    retire: between(switched?.at, gone?.at),
    end: between(gone?.at, command.to),
    switchedAt: switched?.at,
  };
}
