import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { z } from 'zod';
import { EngineRefusal } from '../docker/engine-error.ts';
import { engineFind } from '../docker/engine-request.ts';
import { type CommandResult, runInContainer } from './container-command.ts';

/** Milliseconds: to become healthy, for one half of the self-test, until the next look. */
const times = { healthy: 90_000, selfTest: 45_000, look: 150 } as const;
/** How often a container that is restarted each time it ends may end before it counts as broken. */
const endsAtMost = 2;

const state = z.object({
  RestartCount: z.number(),
  State: z.object({ Status: z.string(), ExitCode: z.number(), Error: z.string().optional() }),
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
    this.#enter('becoming healthy');
    await this.#untilHealthy();
    this.#enter('self-test (write)');
    const token = await this.#selfTest('write');
    this.#enter('restart');
    await this.#container.restart({ t: 10, abortSignal });
    this.#enter('becoming healthy after the restart');
    await this.#untilHealthy();
    this.#enter('self-test (read after the restart)');
    await this.#selfTest('read', token);
  }

  #enter(step: string): void {
    this.#step = step;
    this.#context.progress(`gate: ${step}`);
  }

  async #selfTest(...args: readonly string[]): Promise<string> {
    const { exitCode, output } = await this.#run(['--self-test', ...args], times.selfTest);
    if (exitCode !== 0) throw new Error(`it ended with ${exitCode}, not with 0: ${output || '(no output)'}`);
    return output.split('\n').at(-1) ?? ''; // behind whatever Node has to warn of
  }

  /**
   * Docker asks each ten seconds. Asked here directly: what comes up in two is known in two, by the same command.
   */
  async #untilHealthy(): Promise<void> {
    const { signal } = this.#context;
    const deadline = Date.now() + times.healthy;
    const before = (await this.#look()).RestartCount;
    let last = 'no health check has ended yet';
    for (;;) {
      const { RestartCount, State } = await this.#look();
      const ended = `ended with ${State.ExitCode}${State.Error ? ` (${State.Error})` : ''}`;
      if (RestartCount - before > endsAtMost) throw new Error(`it ${ended} again and again; it has to stay up`);
      if (State.Status === 'running') {
        const health = await this.#health();
        if (health?.exitCode === 0) return;
        if (health) last = `its last health check ended with ${health.exitCode}: ${health.output || '(no output)'}`;
      } else if (State.Status === 'restarting') {
        last = `it ${ended}, and is started again`;
      } else {
        throw new Error(`it is not running (${State.Status}): it ${ended}`);
      }
      if (Date.now() > deadline) throw new Error(`it was not healthy within ${times.healthy / 1000} s; ${last}`);
      await delay(times.look, undefined, { signal });
    }
  }

  async #look(): Promise<z.output<typeof state>> {
    const path = `/containers/${this.#container.id}/json`;
    const found = await engineFind(this.#engine, path, state, this.#context.signal);
    if (!found) throw new Error('the container was removed meanwhile');
    return found;
  }

  /** Undefined when the container ended in between: the next look tells. */
  async #health(): Promise<CommandResult | undefined> {
    try {
      return await this.#run(['--health'], 10_000);
    } catch (error) {
      if (error instanceof EngineRefusal) return undefined;
      throw error;
    }
  }

  async #run(args: readonly string[], patience: number): Promise<CommandResult> {
    const late = AbortSignal.timeout(patience);
    const signal = AbortSignal.any([this.#context.signal, late]);
    try {
      return await runInContainer(this.#container, ['node', '/app/main.mjs', ...args], signal);
    } catch (error) {
      if (!late.aborted || this.#context.signal.aborted) throw error;
      throw new Error(`"node /app/main.mjs ${args[0]}" did not end within ${patience / 1000} s`, { cause: error });
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
