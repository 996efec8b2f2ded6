import { docker } from '../engine.ts';
import type { StackOutputs } from '../stack.ts';

/** What the smoke tests do to the containers of one stack, through the Docker command. */
export interface Containers {
  /** What the container of a role is called on the engine. */
  name(role: string): Promise<string>;
  restart(role: string): Promise<void>;
  stop(role: string): Promise<void>;
  start(role: string): Promise<void>;
  /** Last lines of its log. */
  log(role: string): Promise<string>;
  /** Takes every cached thread out of Redis; what is not a cache there, such as the outbox, is never touched. */
  dropHotCopies(): Promise<void>;
  /** Copies a file out of a container. */
  copy(role: string, path: string, to: string): Promise<void>;
}

// Cache keys are those with a time to live. In one script, so that nothing is written between the look and the unlink.
const unlinkCache = `
local cursor, gone = '0', 0
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    if redis.call('PTTL', key) >= 0 then gone = gone + redis.call('UNLINK', key) end
  end
until cursor == '0'
return gone`;

export function stackContainers({ namespace, dockerHost }: Pick<StackOutputs, 'namespace' | 'dockerHost'>): Containers {
  const ask = (...args: readonly string[]) => docker(dockerHost, ...args);
  const named = async (role: string) => {
    const filters = [`label=conversation-kit.stack=${namespace}`, `label=conversation-kit.role=${role}`];
    const found = await ask('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((filter) => ['--filter', filter]));
    const [name] = found.lines();
    if (!name) throw new Error(`there is no container for ${role} in ${namespace}; npm run up makes it`);
    return name;
  };
  return {
    name: named,
    restart: async (role) => {
      await ask('restart', await named(role));
    },
    stop: async (role) => {
      await ask('stop', await named(role));
    },
    start: async (role) => {
      await ask('start', await named(role));
    },
    log: async (role) => {
      const { stdout, stderr } = await ask('logs', '--tail', '20', await named(role));
      return `${stdout}${stderr}`.trim();
    },
    dropHotCopies: async () => {
      const read = 'REDISCLI_AUTH=$(cat /run/secrets/redis-password) exec redis-cli --no-raw eval "$1" 0';
      await ask('exec', await named('redis'), 'sh', '-c', read, 'sh', unlinkCache);
    },
    copy: async (role, path, to) => {
      await ask('cp', `${await named(role)}:${path}`, to);
    },
  };
}
