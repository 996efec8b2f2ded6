import { z } from 'zod';
import { connectEngine } from '../docker/engine.ts';
import { isConflict, isNotFound } from '../docker/engine-error.ts';
import { differences } from '../plugin/difference.ts';
import type { ResourceDefinition } from '../plugin/resource.ts';
import type { KitConfig } from './config.ts';
import { runInContainer } from './container-command.ts';

const inputs = z.strictObject({
  edge: z.string().min(1, 'must name the container of Caddy'),
  /** Paths in Caddy's configuration that are not as its Caddyfile has them; the program wants none. */
  changedByHand: z.array(z.string()),
  dockerHost: z.string().optional(),
});
type Inputs = z.output<typeof inputs>;

const caddyfile = ['--config', '/etc/caddy/Caddyfile', '--adapter', 'caddyfile'];
/** Caddy says what it does on its error stream, also where all goes well. */
const adapted = ['sh', '-c', `exec caddy adapt ${caddyfile.join(' ')} 2>/dev/null`];
// Caddy's own copy of what it runs, written at each change: nothing in the image can ask its socket.
const running = ['sh', '-c', 'exec cat "$XDG_CONFIG_HOME/caddy/autosave.json"'];

/**
 * Caddy runs what its Caddyfile says. Its admin API takes changes while it runs, and they vanish with the next restart:
 * they are found by a refresh, and the update has Caddy load its Caddyfile again.
 */
export const edgeConfig: ResourceDefinition<Inputs, Inputs, KitConfig> = {
  token: 'kit:index:EdgeConfig',
  inputs,
  replaceOnChanges: [],
  create: async (wanted, { signal }) => {
    await reload(wanted, signal);
    return { id: wanted.edge, outputs: wanted };
  },
  read: async (id, { inputs: stored, outputs }, { signal, warn }) => {
    if (!stored || !outputs) throw new Error('A kit:index:EdgeConfig can not be imported: it only compares.');
    try {
      const found = { ...stored, changedByHand: await changes(stored, signal) };
      return { id, inputs: found, outputs: found };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (error instanceof ConfigUnknownError) warn(`${error.message}. Not checked: whether somebody changed it.`);
      else if (!isConflict(error)) throw error; // it does not run: it will begin with its Caddyfile
      return { id, inputs: stored, outputs };
    }
  },
  update: async (_id, _old, wanted, { signal }) => {
    await reload(wanted, signal);
    return wanted;
  },
  delete: async () => {},
};

async function reload(wanted: Inputs, signal: AbortSignal): Promise<void> {
  if ((await changes(wanted, signal)).length === 0) return; // a reload closes connections that are idle
  const { exitCode, output } = await run(wanted, ['caddy', 'reload', ...caddyfile, '--force'], signal);
  if (exitCode !== 0) throw new Error(`Caddy in ${wanted.edge} does not load its Caddyfile: ${output}`);
  const left = await changes(wanted, signal);
  if (left.length === 0) return;
  throw new Error(
    `Caddy in ${wanted.edge} loaded its Caddyfile, and still runs something else (${left.join(', ')}). Start it anew: docker restart ${wanted.edge}`,
  );
}

async function changes(wanted: Inputs, signal: AbortSignal): Promise<string[]> {
  const found = differences(await config(wanted, adapted, signal), await config(wanted, running, signal));
  return found.map(({ path }) => path);
}

/** Caddy runs, and its configuration can't be had: it has just started, say, and written nothing yet. */
class ConfigUnknownError extends Error {
  override readonly name = 'ConfigUnknownError';
}

async function config(wanted: Inputs, command: readonly string[], signal: AbortSignal): Promise<object> {
  const { exitCode, output } = await run(wanted, command, signal);
  try {
    if (exitCode === 0) return z.looseObject({}).parse(JSON.parse(output));
  } catch (cause) {
    throw new ConfigUnknownError(`the configuration of Caddy in ${wanted.edge} can't be read`, { cause });
  }
  throw new ConfigUnknownError(`the configuration of Caddy in ${wanted.edge} can't be read: ${output}`);
}

async function run({ edge, dockerHost }: Inputs, command: readonly string[], signal: AbortSignal) {
  const engine = await connectEngine(dockerHost);
  return runInContainer(engine.getContainer(edge), command, signal);
}
