import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parseConfig, type RawConfig } from '../../../infra/config.ts';
import { freeSpace } from '../../../infra/preflight/box.ts';
import { inspectBox, preflight } from '../../../infra/preflight.ts';
import { freePort, startRedis, type TestServer } from '../../support/containers.ts';

const portKeys = ['httpPort', 'httpsPort', 'supabasePort', 'postgresPort', 'redisCommanderPort'];

/** Settings of a stack on ports that nobody has, besides those given. */
async function settingsWith(given: RawConfig) {
  const ports: Record<string, string> = {};
  for (const key of portKeys) ports[key] = String(await freePort());
  return parseConfig('local', { namespace: 'preflight-test', images: 'local', ...ports, ...given });
}

describe('before anything is changed', () => {
  let listener: Server | undefined;
  let redis: TestServer | undefined;
  afterEach(async () => {
    listener?.close();
    await redis?.stop();
    listener = redis = undefined;
  });

  it('finds nothing wrong where nothing is, and says what it has looked at', async () => {
    const checks = await inspectBox('local', await settingsWith({}));
    expect(checks.flatMap(({ problems }) => problems)).toEqual([]);
    const found = new Map(checks.map((check) => [check.name, check.found]));
    const looked = ['Docker engine', 'disk', 'memory', 'ports', 'address', 'clock', 'images', 'Supabase'];
    expect([...found.keys()]).toEqual(looked);
    expect(found.get('memory')).toMatch(/^\d+ MiB; at most .* second service during a release .* = \d+ MiB$/);
    expect(found.get('clock')).toBe('as here');
  });

  it('names every taken port, the process or container that has it, and the key that moves it', async () => {
    const port = await freePort();
    listener = createServer().listen(port, '127.0.0.1');
    redis = await startRedis();
    const { Name } = await redis.container.inspect();
    const settings = await settingsWith({ httpPort: String(port), httpsPort: String(redis.port) });
    const refusal = await preflight('local', settings).catch((error: Error) => error.message);
    expect(refusal).toContain(`(process ${process.pid})`);
    expect(refusal).toContain(`npm run pulumi -- config set httpPort <port> -s local`);
    expect(refusal).toContain(`port ${redis.port} is taken by container ${Name.replace('/', '')}`);
  });

  it('says where there is no engine, and looks no further on the box', async () => {
    const dockerHost = 'unix:///nowhere/docker.sock';
    const checks = await inspectBox('local', await settingsWith({ dockerHost }));
    expect(checks).toEqual([
      { name: 'Docker engine', found: dockerHost, problems: [expect.stringContaining('is not running')] },
      { name: 'Supabase', found: 'embedded', problems: [] },
    ]);
  });

  it('wants an update to know its hosted project', async () => {
    const settings = await settingsWith({ profile: 'ryzen' });
    const refusal = await preflight('ryzen', settings).catch((error: Error) => error.message);
    expect(refusal).toContain('The hosted Supabase project of stack ryzen is not known');
  });

  it('sees how full a disk is', async () => {
    // The file system of /proc has no free block.
    expect(await freeSpace('/proc')).toBe(0);
    expect(await freeSpace('/nowhere')).toBeUndefined();
  });
});
