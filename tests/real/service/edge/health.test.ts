import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { $ } from 'zx';
import { door } from '../api-proxy.ts';
import type { RunningService } from '../service-process.ts';
import { type RunningKit, sender, startKit } from './running-kit.ts';

let kit: RunningKit;
let service: RunningService;

beforeAll(async () => {
  kit = await startKit();
  service = await kit.installation.start();
});
afterAll(async () => {
  await service?.stop();
  await kit?.close();
});

/** Runs the command as `npm run health` does once the machine is set up. */
async function health(args: readonly string[], path = process.env.PATH ?? '') {
  const started = performance.now();
  const run = await $({
    quiet: true,
    nothrow: true,
    env: { ...process.env, PATH: path },
  })`${process.execPath} scripts/health.ts ${args}`;
  return { exit: run.exitCode, output: run.stdout, errors: run.stderr, milliseconds: performance.now() - started };
}

/** A `pulumi` that knows one deployed stack. */
async function deployedStack(url: string, work: (path: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'health-'));
  const outputs = {
    url,
    releaseId: 'r1',
    namespace: 'x',
    bindAddress: '127.0.0.1',
    certificates: 'acme',
    schemaHead: 'x',
    supabaseUrl: kit.record.settings.url,
    supabasePublishableKey: kit.record.settings.publishableKey,
    supabaseSecretKey: kit.record.settings.secretKey,
    embedded: true,
  };
  await writeFile(join(directory, 'pulumi'), `#!/bin/sh\ncat <<'END'\n${JSON.stringify(outputs)}\nEND\n`);
  await chmod(join(directory, 'pulumi'), 0o755);
  try {
    await work(`${directory}:${process.env.PATH}`);
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe('npm run health', () => {
  it('says of a stack how each part is, and how long it took to answer', async () => {
    await deployedStack(service.url, async (path) => {
      const { exit, output } = await health([], path);
      expect(exit).toBe(0);
      expect(output).toMatch(/^healthy: release under-test, storage dual/);
      for (const check of ['supabase', 'database', 'storage', 'redis'])
        expect(output).toMatch(new RegExp(`^ {2}${check} +up +[\\d.]+ ms$`, 'm'));
      const json = await health(['--format', 'json'], path);
      expect(JSON.parse(json.output)).toMatchObject({
        status: 'healthy',
        checks: { storage: { status: 'up', response_time_ms: expect.any(Number) } },
      });
      expect(output + json.output + json.errors).not.toContain(kit.record.settings.secretKey);
    });
  });

  it('ends with 2 for wrong use and for a stack that is not deployed', async () => {
    expect(await health(['--format', 'xml'])).toMatchObject({
      exit: 2,
      errors: expect.stringContaining('--format xml'),
    });
    expect(await health(['--endpoint', 'here'])).toMatchObject({ exit: 2 });
    expect(await health(['--quickly'])).toMatchObject({ exit: 2, errors: expect.stringContaining('npm run health') });
    expect(await health(['--help'])).toMatchObject({ exit: 0, output: expect.stringContaining('Exit: 0 healthy') });
    expect(await health(['--stack', 'nowhere'])).toMatchObject({ exit: 2 });
  });

  it('ends with 3 when nobody answers, when what answers is another thing, and soon when it hangs', async () => {
    expect(await health(['--endpoint', 'http://127.0.0.1:9/health'])).toMatchObject({ exit: 3 });
    const other = createServer((_request, response) => response.end('<html>'));
    const silent = createServer(() => undefined);
    await Promise.all(
      [other, silent].map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))),
    );
    const address = (server: typeof other) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await health(['--endpoint', address(other)])).toMatchObject({ exit: 3 });
    await deployedStack(address(silent), async (path) => {
      const { exit, output, milliseconds } = await health(['--format', 'json'], path);
      expect([exit, JSON.parse(output).status]).toEqual([3, 'unavailable']);
      expect(milliseconds).toBeLessThan(5500);
    });
    silent.closeAllConnections();
    for (const server of [other, silent]) server.close();
  });
});

describe('the health of a service', () => {
  it('is told in time when Supabase hangs, part by part', async () => {
    const goOn = door();
    kit.proxy.onCall = () => goOn.opened;
    const started = performance.now();
    const { status, text } = await sender(service, kit.record.settings.secretKey)('GET', '/health');
    expect(performance.now() - started).toBeLessThan(4000);
    expect(JSON.parse(text)).toMatchObject({
      checks: {
        supabase: { status: 'down', error: 'no answer within 2500 ms' },
        database: { status: 'down' },
        storage: { status: 'down' },
        redis: { status: 'up' },
      },
    });
    // The outbox takes what is said meanwhile.
    expect([status, JSON.parse(text).status]).toEqual([200, 'degraded']);
    const command = await kit.installation.run(['--health'], { PORT: String(service.port) });
    expect(command).toMatchObject({ exitCode: 0, output: expect.stringMatching(/^degraded: /) });
    goOn.open();
    kit.proxy.onCall = async () => undefined;
  });

  it('is degraded when only Storage is away', async () => {
    kit.proxy.onReply = async (name) => (name === 'bucket' ? 'cut' : 'pass');
    const { text } = await sender(service, kit.record.settings.secretKey)('GET', '/health');
    expect(JSON.parse(text)).toMatchObject({ status: 'degraded', checks: { storage: { status: 'down' } } });
    kit.proxy.onReply = async () => 'pass';
  });

  it('is bad when it can not do its work', async () => {
    const alone = await kit.installation.start({ CONVERSATION_STORAGE_BACKEND: 'redis' });
    await kit.redis.kill();
    await alone.until(/"msg":"Redis is away"/);
    const { status, text } = await sender(alone, kit.record.settings.secretKey)('GET', '/health');
    expect([status, JSON.parse(text)]).toMatchObject([
      503,
      { status: 'unhealthy', checks: { redis: { status: 'down' } } },
    ]);
    const command = await kit.installation.run(['--health'], { PORT: String(alone.port) });
    expect(command).toMatchObject({ exitCode: 1, output: expect.stringMatching(/^unhealthy: /) });
    await alone.stop();
  });
});
