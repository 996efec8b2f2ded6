import { z } from 'zod';
import { connectEngine } from '../docker/engine.ts';
import { isConflict, isNotFound } from '../docker/engine-error.ts';
import type { ResourceDefinition } from '../plugin/resource.ts';
import type { KitConfig } from './config.ts';
import { type CommandResult, runInContainer } from './container-command.ts';

/** Where a release listens in the stack's network. */
export const upstream = z.string().regex(/^[a-z0-9.-]+:\d+$/i, 'must be <host>:<port>');

const inputs = z.strictObject({
  edge: z.string().min(1, 'must name the container of Caddy'),
  upstream,
  dockerHost: z.string().optional(),
});
type Inputs = z.output<typeof inputs>;

/**
 * Which release Caddy serves. Caddy's image has the two commands for it: `live-release` prints the upstream, and
 * `switch-release` makes sure that another one answers, has Caddy serve it without closing a connection, and leaves
 * everything as it was when it can't.
 */
export const liveRelease: ResourceDefinition<Inputs, Inputs, KitConfig> = {
  token: 'kit:index:LiveRelease',
  inputs,
  replaceOnChanges: ['edge', 'dockerHost'],
  create: async (wanted, { signal }) => {
    await switchTo(wanted, signal);
    return { id: wanted.edge, outputs: wanted };
  },
  read: async (id, { outputs }, { signal }) => {
    const known = outputs ?? { edge: id, upstream: '' };
    try {
      const upstream = await ask(known, ['live-release'], signal);
      const found = { ...known, upstream };
      return { id, inputs: found, outputs: found };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      // Stopped or paused, it serves none; the update that lets it run again sees to it that it serves the right one.
      if (!isConflict(error)) throw error;
      const none = { ...known, upstream: '' };
      return { id, inputs: none, outputs: none };
    }
  },
  update: async (_id, _old, wanted, { signal }) => {
    await switchTo(wanted, signal);
    return wanted;
  },
  // There is nothing to take back: Caddy and the volume that keeps its choice have lives of their own.
  delete: async () => {},
};

async function switchTo(wanted: Inputs, signal: AbortSignal): Promise<void> {
  await ask(wanted, ['switch-release', wanted.upstream], signal);
}

/** Runs a command in Caddy's container and returns what it says. Throws with that when it fails. */
async function ask({ edge, dockerHost }: Inputs, command: readonly string[], signal: AbortSignal): Promise<string> {
  const engine = await connectEngine(dockerHost);
  const { exitCode, output }: CommandResult = await runInContainer(engine.getContainer(edge), command, signal);
  if (exitCode === 0) return output;
  throw new Error(`${command.join(' ')} failed in ${edge} (exit code ${exitCode}): ${output}`);
}
