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
  read: async (id, { inputs: stored, outputs }, { signal }) => {
    if (!stored || !outputs) throw new Error('A kit:index:EdgeConfig can not be imported: it only compares.');
    try {
      const found = { ...stored, changedByHand: await changes(stored, signal) };
      return { id, inputs: found, outputs: found };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (!isConflict(error)) throw error;
      return { id, inputs: stored, outputs }; // it does not run: it will begin with its Caddyfile
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
  await ask(wanted, ['caddy', 'reload', ...caddyfile, '--force'], signal);
  const left = await changes(wanted, signal);
  if (left.length === 0) return;
  throw new Error(
    `Caddy in ${wanted.edge} loaded its Caddyfile, and still runs something else (${left.join(', ')}). Start it anew: docker restart ${wanted.edge}`,
  );
}

async function changes(wanted: Inputs, signal: AbortSignal): Promise<string[]> {
  const config = async (command: readonly string[]) =>
    z.looseObject({}).parse(JSON.parse(await ask(wanted, command, signal)));
  return differences(await config(adapted), await config(running)).map(({ path }) => path);
}

async function ask({ edge, dockerHost }: Inputs, command: readonly string[], signal: AbortSignal): Promise<string> {
  const engine = await connectEngine(dockerHost);
  const { exitCode, output } = await runInContainer(engine.getContainer(edge), command, signal);
  if (exitCode === 0) return output;
  throw new Error(`${command.join(' ')} failed in ${edge} (exit code ${exitCode}): ${output}`);
}
