import { createServer, type Server } from 'node:net';
import Docker from 'dockerode';
import { afterEach, describe, expect, it } from 'vitest';
import { preflight } from '../../../infra/preflight.ts';
import { freePort, startRedis, type TestServer } from '../../support/containers.ts';

const stack = { stack: 'local', namespace: 'preflight-test' };

describe('before anything is changed', () => {
  const engine = new Docker();
  let listener: Server | undefined;
  let redis: TestServer | undefined;
  afterEach(async () => {
    listener?.close();
    await redis?.stop();
    listener = redis = undefined;
  });

  it('finds nothing wrong where nothing is', async () => {
    await preflight({ ...stack, engine, ports: [{ key: 'httpPort', port: await freePort() }] });
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
    const refusal = await preflight({ ...stack, engine, ports }).catch((error: Error) => error.message);
    expect(refusal).toContain(`(process ${process.pid})`);
    expect(refusal).toContain(`pulumi config set httpPort <port> -s local`);
    expect(refusal).toContain(`port ${redis.port} is taken by container ${Name.replace('/', '')}`);
  });

  it('refuses a nearly full disk', async () => {
    // The file system of /proc has no free block: an engine that keeps its data there is one with a full disk.
    const full = Object.assign(new Docker(), { info: async () => ({ DockerRootDir: '/proc' }) });
    await expect(preflight({ ...stack, engine: full, ports: [] })).rejects.toThrow(
      /\/proc has 0 MiB free and 2048 MiB/,
    );
  });
});
