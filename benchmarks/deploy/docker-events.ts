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
  /** From there until green has started and written what it tests itself with: then it is restarted. */
  readonly write: number | undefined;
  /** From there until it has found that again. */
  readonly read: number | undefined;
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
  const first = (from: ContainerEvent | undefined, matches: (event: ContainerEvent) => boolean) =>
    from && own.find((event) => event.at >= from.at && matches(event));
  const isService = ({ container }: ContainerEvent) => /-service-/.test(container);
  const green = own.find((event) => event.action === 'create' && isService(event));
  const restarting = first(green, ({ container, action }) => container === green?.container && action === 'kill');
  const switching = first(restarting, ({ action }) => /^exec_create: .*switch-release/.test(action));
  const caddy = switching?.container;
  const switched = first(switching, ({ container, action }) => container === caddy && action === 'exec_die');
  const gone = first(
    switched,
    (event) => event.action === 'destroy' && isService(event) && event.container !== green?.container,
  );
  const between = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? undefined : to - from;
  return {
    program: between(command.from, green?.at),
    write: between(green?.at, restarting?.at),
    read: between(restarting?.at, switching?.at),
    switch: between(switching?.at, switched?.at),
    retire: between(switched?.at, gone?.at),
    end: between(gone?.at, gone && command.to),
    switchedAt: switched?.at,
  };
}
