import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { z } from 'zod';
import { EngineRefusal } from '../docker/engine-error.ts';
import { engineFind } from '../docker/engine-request.ts';
import { type CommandResult, runInContainer } from './container-command.ts';

/** Milliseconds: for one half of the self-test, which waits until the service is healthy; until the next look. */
const times = { half: 150_000, look: 200 } as const;
/** Exit codes of a self-test that has failed. With any other one it was ended, as its container was. */
const verdicts: readonly number[] = [1, 2];
/** How often a container that is restarted each time it ends may end before it counts as broken. */
const endsAtMost = 2;

const state = z.object({
  RestartCount: z.number(),
  State: z.object({ Status: z.string(), ExitCode: z.number() }),
});

interface TrialContext {
  readonly signal: AbortSignal;
  progress(message: string): void;
}

/** The trial of one container of the service: everything it is asked, it is asked through the engine, in the container. */
export class ReleaseTrial {
  readonly #engine: Docker;
  readonly #container: Docker.Container;
  readonly #context: TrialContext;
  #step = 'start';

  constructor(engine: Docker, id: string, context: TrialContext) {
    this.#engine = engine;
    this.#container = engine.getContainer(id);
    this.#context = context;
  }

  /** What it is at; after a failure, what has failed. */
  get step(): string {
    return this.#step;
  }

  /** Throws with the reason when a promise is not kept. The container runs before or not: it is started. */
  async run(): Promise<void> {
    const { signal: abortSignal } = this.#context;
    this.#enter('start');
    await unlessRunning(this.#container.start({ abortSignal }));
    this.#enter('self-test (write)');
    const token = await this.#selfTest('write');
    this.#enter('restart');
    await this.#container.restart({ t: 10, abortSignal });
    this.#enter('self-test (read after the restart)');
    await this.#selfTest('read', token);
  }

  #enter(step: string): void {
    this.#step = step;
    this.#context.progress(`gate: ${step}`);
  }

  /**
   * One half of the self-test, from whenever the service is healthy: it asks the service itself, again and again, where
   * Docker would ask each ten seconds. When the service ends, the test ends with it, and is begun anew.
   */
  async #selfTest(...args: readonly string[]): Promise<string> {
    const { signal } = this.#context;
    const late = AbortSignal.timeout(times.half);
    const { RestartCount: before } = await this.#look();
    let ending = 'ended';
    let last = 'was not begun';
    for (;;) {
      const found = await this.#look();
      const { Status, ExitCode } = found.State;
      const ends = found.RestartCount - before;
      if (Status !== 'running') ending = `ended with ${ExitCode}`;
      if (ends > endsAtMost) throw new Error(`the service ${ending} again and again; it has to stay up`);
      if (Status !== 'running' && Status !== 'restarting')
        throw new Error(`the service is not running (${Status}): it ${ending}`);
      const result = Status === 'running' ? await this.#run(['--self-test', ...args], late) : undefined;
      if (result?.exitCode === 0) return result.stdout;
      if (result) last = `ended with ${result.exitCode}: ${result.output || '(no output)'}`;
      if (result && verdicts.includes(result.exitCode)) throw new Error(`the self-test ${last}`);
      if (late.aborted) throw new Error(`the self-test did not pass within ${times.half / 1000} s; it ${last}`);
      await delay(times.look, undefined, { signal });
    }
  }

  async #look(): Promise<z.output<typeof state>> {
    const path = `/containers/${this.#container.id}/json`;
    const found = await engineFind(this.#engine, path, state, this.#context.signal);
    if (!found) throw new Error('the container was removed meanwhile');
    return found;
  }

  /** Undefined when the container ended before the command could be begun: the next look tells. */
  async #run(args: readonly string[], late: AbortSignal): Promise<CommandResult | undefined> {
    const signal = AbortSignal.any([this.#context.signal, late]);
    try {
      return await runInContainer(this.#container, ['node', '/app/main.mjs', ...args], signal);
    } catch (error) {
      if (error instanceof EngineRefusal) return undefined;
      if (!late.aborted || this.#context.signal.aborted) throw error;
      throw new Error(`the self-test did not end within ${times.half / 1000} s`);
    }
  }
}

/** 304: it runs already. */
async function unlessRunning(starting: Promise<unknown>): Promise<void> {
  try {
    await starting;
  } catch (error) {
    if (!(error instanceof EngineRefusal && error.statusCode === 304)) throw error;
  }
}
