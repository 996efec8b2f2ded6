import type Docker from 'dockerode';
import { z } from 'zod';
import { lastLogLines } from '../docker/container/health-gate.ts';
import { connectEngine } from '../docker/engine.ts';
import { readable } from '../plugin/failure.ts';
import type { ResourceContext, ResourceDefinition } from '../plugin/resource.ts';
import type { KitConfig } from './config.ts';
import { runInContainer } from './container-command.ts';
import { gateFailure, type Outcome } from './gate-failure.ts';
import { upstream } from './live-release.ts';
import { ReleaseTrial } from './release-trial.ts';

const inputs = z.strictObject({
  container: z.string().min(1, 'must name the container of the release'),
  containerId: z.string().min(1, 'must be the id of that container'),
  upstream,
  edge: z.string().min(1, 'must name the container of Caddy'),
  dockerHost: z.string().optional(),
});
type Inputs = z.output<typeof inputs>;

/** Milliseconds. What has failed is asked for its log, and stopped, also when the update itself was cancelled. */
const setAsideWithin = 20_000;

/**
 * The gate that a release passes before Caddy is switched to it. A container that has passed is not asked again; one
 * that has not is stopped, so that it takes no memory, no turn at the outbox and no answer of a model, and is there for
 * a look. The next update starts it again, or removes it when the program names another release by then.
 */
export const releaseGate: ResourceDefinition<Inputs, Inputs, KitConfig> = {
  token: 'kit:index:ReleaseGate',
  inputs,
  replaceOnChanges: [],
  create: async (wanted, context) => {
    await pass(wanted, context);
    return { id: 'release-gate', outputs: wanted };
  },
  read: async (id, { inputs, outputs }) => {
    if (!inputs || !outputs)
      throw new Error('A kit:index:ReleaseGate can not be imported: it is passed, or it is not.');
    return { id, inputs, outputs };
  },
  update: async (_id, { outputs }, wanted, context) => {
    if (outputs.containerId !== wanted.containerId) await pass(wanted, context);
    return wanted;
  },
  // There is nothing to take back: the container is a resource of its own.
  delete: async () => {},
};

async function pass(wanted: Inputs, context: ResourceContext<KitConfig>): Promise<void> {
  const engine = await connectEngine(wanted.dockerHost);
  const trial = new ReleaseTrial(engine, wanted.containerId, context);
  const began = performance.now();
  try {
    await trial.run();
  } catch (error) {
    const outcome = await setAside(engine, wanted);
    const { step } = trial;
    const reason = context.signal.aborted ? 'the update was cancelled' : readable(error);
    const { container, upstream } = wanted;
    throw new Error(gateFailure({ container, upstream, step, reason, ...outcome }), { cause: error });
  }
  context.progress(`passed in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

/** Stops what has failed, unless it is the one that serves: what serves badly is better than what does not at all. */
async function setAside(engine: Docker, { containerId, edge, upstream }: Inputs): Promise<Outcome> {
  const signal = AbortSignal.timeout(setAsideWithin);
  const [log, live] = await Promise.allSettled([
    lastLogLines(engine, containerId, 20, signal),
    runInContainer(engine.getContainer(edge), ['live-release'], signal),
  ]);
  const lines = log.status === 'fulfilled' ? log.value : `(it can't be read: ${readable(log.reason)})`;
  if (live.status === 'rejected' || live.value.exitCode !== 0) return { log: lines, live: undefined, stopped: false };
  const serving = live.value.output;
  if (serving.split('\n').includes(upstream)) return { log: lines, live: serving, stopped: false };
  try {
    await engine.getContainer(containerId).stop({ t: 5, abortSignal: signal });
    return { log: lines, live: serving, stopped: true };
  } catch {
    // It was stopped before, or is gone, or the engine is: the reason that counts is the one that is reported.
    return { log: lines, live: serving, stopped: false };
  }
}
