import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import grpc from '@grpc/grpc-js';
import engineServices from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import services from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import empties from 'google-protobuf/google/protobuf/empty_pb.js';
import { afterEach, describe, expect, it } from 'vitest';

const main = join(import.meta.dirname, '..', '..', '..', 'infra', 'providers', 'docker', 'main.ts');

const engines: grpc.Server[] = [];
const plugins: ChildProcess[] = [];
afterEach(() => {
  for (const engine of engines.splice(0)) engine.forceShutdown();
  for (const plugin of plugins.splice(0)) plugin.kill('SIGKILL');
});

async function startEngine(): Promise<{ address: string; engine: grpc.Server }> {
  const engine = new grpc.Server();
  engines.push(engine);
  engine.addService(engineServices.EngineService, {});
  const port = await new Promise<number>((resolve, reject) =>
    engine.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { address: `127.0.0.1:${port}`, engine };
}

/** Starts a plugin as Pulumi does, and waits for the port that it prints. */
async function startPlugin(...args: string[]) {
  const plugin = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  plugins.push(plugin);
  const lines = createInterface({ input: plugin.stdout });
  const [port] = await once(lines, 'line');
  const client = new services.ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const version = await new Promise<string>((resolve, reject) =>
    client.getPluginInfo(new empties.Empty(), (error, info) => (error ? reject(error) : resolve(info.getVersion()))),
  );
  client.close();
  return { plugin, version, port: String(port) };
}

describe('the process of a plugin', () => {
  it('prints its port, and answers there', async () => {
    const { address } = await startEngine();
    const { port, version } = await startPlugin('--logtostderr', '-v=3', address);
    expect(port).toMatch(/^\d+$/);
    expect(version).toBe('5.2.0');
  });

  it('ends with its engine, even when nobody asks it to', async () => {
    const { address, engine } = await startEngine();
    const { plugin } = await startPlugin(address);
    const ended = once(plugin, 'exit');
    engine.forceShutdown();
    expect(await ended).toEqual([0, null]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends at once on %s', async (signal) => {
    const { address } = await startEngine();
    const { plugin } = await startPlugin(address);
    const ended = once(plugin, 'exit');
    plugin.kill(signal);
    expect(await ended).toEqual([0, null]);
  });
});
