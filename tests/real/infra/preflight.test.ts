import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { fullDisk, preflight } from '../../../infra/preflight.ts';
import { freePort, startRedis, type TestServer } from '../../support/containers.ts';

const stack = { stack: 'local', namespace: 'preflight-test', dockerHost: undefined };

describe('before anything is changed', () => {
  let listener: Server | undefined;
  let redis: TestServer | undefined;
  afterEach(async () => {
    listener?.close();
    await redis?.stop();
    listener = redis = undefined;
  });

  it('finds nothing wrong where nothing is', async () => {
    await preflight({ ...stack, ports: [{ key: 'httpPort', port: await freePort() }] });
  });

  it('names every taken port, the process or container that has it, and the key that moves it', async () => {
    const port = await freePort();
    listener = createServer().listen(port, '127.0.0.1');
    redis = await startRedis();
    const { Name } = await redis.container.inspect();
    const ports = [
      { key: 'httpPort', port },
      { key: 'httpsPort', port: redis.port },
    ];
    const refusal = await preflight({ ...stack, ports }).catch((error: Error) => error.message);
    expect(refusal).toContain(`(process ${process.pid})`);
    expect(refusal).toContain(`pulumi config set httpPort <port> -s local`);
    expect(refusal).toContain(`port ${redis.port} is taken by container ${Name.replace('/', '')}`);
  });

  it('refuses a nearly full disk', async () => {
    // The file system of /proc has no free block: an engine that keeps its data there is one with a full disk.
    const engine = { info: async () => ({ DockerRootDir: '/proc' }) };
    expect(await fullDisk(engine)).toEqual([expect.stringMatching(/\/proc has 0 MiB free and 2048 MiB/)]);
  });
});
