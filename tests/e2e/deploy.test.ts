import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { $ } from 'zx';
import { Client } from '../../scripts/smoke/client.ts';
import { type Checkout, type CommandResult, freshCheckout } from '../support/checkout.ts';
import { baseImage } from '../support/containers.ts';

const quiet = $({ quiet: true });

const report = z.object({
  verdict: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  reason: z.string().nullable(),
  copies: z.string().optional(),
  steps: z.array(z.object({ name: z.string(), result: z.string() })),
});
const outputs = z.object({ url: z.string(), supabaseSecretKey: z.string(), releaseId: z.string() });
const releaseList = z.object({ releases: z.array(z.object({ failure: z.string().nullable() })) });
const history = z.array(z.object({ by: z.string(), verdict: z.string(), updates: z.array(z.number()) }));

describe('npm run deploy', () => {
  let checkout: Checkout;
  let client: Client;

  beforeAll(async () => {
    checkout = await freshCheckout({ prepared: true });
    for (const hook of ['before-deploy', 'after-deploy', 'deploy-failed', 'after-rollback'])
      await keepFacts(checkout, hook);
    const flags = Object.entries({ ...checkout.config, redisCommander: 'false' }).map(
      ([key, value]) => `--config=${key}=${value}`,
    );
    const up = await checkout.npm('up', '--no-smoke', ...flags);
    expect(up.exitCode, up.output).toBe(0);
    client = await openClient(checkout);
  });
  afterAll(async () => {
    await client?.close();
    await checkout?.remove();
  });

  it('asks nobody where there is nobody, and changes nothing', async () => {
    const refused = await checkout.npm('deploy');
    expect(refused.exitCode).toBe(2);
    expect(refused.output).toContain('standard input is no terminal. Say --yes.');
    expect(existsSync(join(checkout.directory, '.kit', 'deploys', 'local.jsonl'))).toBe(false);
  });

  it('deploys, with copies of the data that can be restored, and tells the hooks no secret', async () => {
    const id = await client.create();
    const text = randomUUID();
    await client.append(id, [{ client_message_id: text, role: 'user', content: text }]);
    const before = await rowCounts(checkout, 'postgres');

    await configure(checkout, 'logLevel', 'debug');
    const { result, ...deployed } = await deploy(checkout);
    expect(result.exitCode, result.output).toBe(0);
    expect(deployed).toMatchObject({ verdict: 'deployed', to: await servingRelease(checkout) });
    expect(deployed.from).not.toBe(deployed.to);
    expect(deployed.steps.map(({ name }) => name)).toEqual([
      'Preflight',
      'Drift',
      'Preview',
      'Safety copies',
      'Update',
      'Smoke tests',
    ]);
    expect(result.output).toMatch(/container service-\w+ +is made/);

    const copies = join(checkout.directory, deployed.copies ?? '');
    expect((await readdir(copies)).sort()).toEqual(['manifest.json', 'postgres.dump', 'redis.rdb']);
    for (const name of await readdir(copies)) expect((await stat(join(copies, name))).mode & 0o777).toBe(0o600);
    await quiet({
      input: await readFile(join(copies, 'postgres.dump')),
    })`docker exec -i ${container(checkout, 'postgres')} sh -c ${'createdb -h /run/postgresql -U postgres scratch && pg_restore -h /run/postgresql -U postgres --exit-on-error -d scratch'}`;
    expect(await rowCounts(checkout, 'scratch')).toEqual(before);
    expect(await keysIn(checkout, join(copies, 'redis.rdb'))).toContain(id);

    const facts = await factsOf(checkout, 'after-deploy');
    expect(facts).toMatchObject({ CONVERSATION_KIT_STACK: 'local', CONVERSATION_KIT_TO: deployed.to });
    expect(Object.keys(facts).filter((name) => /PULUMI|SECRET|PASS|TOKEN|KEY/.test(name))).toEqual([]);
    expect((await factsOf(checkout, 'before-deploy')).CONVERSATION_KIT_FROM).toBe(deployed.from);
  });

  it('rolls a release back that passes the gate and fails the smoke tests', async () => {
    const file = join(checkout.directory, 'Caddyfile');
    const good = await readFile(file, 'utf8');
    await writeFile(file, good.replace('handle /metrics* {', 'handle /openapi.json* {'));
    const serving = await servingRelease(checkout);
    await configure(checkout, 'logLevel', 'info');
    const { result, ...failed } = await deploy(checkout);
    await writeFile(file, good);
    await configure(checkout, 'logLevel', 'debug');
    expect(result.exitCode, result.output).toBe(1);
    expect(failed).toMatchObject({ verdict: 'rolled back', from: serving, to: serving });
    expect(failed.reason).toContain('metrics and more are for the box');
    expect(await servingRelease(checkout)).toBe(serving);
    expect((await client.send('GET', '/openapi.json')).status).toBe(200);
    expect((await client.send('GET', '/metrics')).status).toBe(404);
    expect((await factsOf(checkout, 'after-rollback')).CONVERSATION_KIT_VERDICT).toBe('rolled back');
    expect((await factsOf(checkout, 'deploy-failed')).CONVERSATION_KIT_REASON).toContain('smoke tests failed');
  });

  it('has that told by the list of what can be gone back to', async () => {
    const shown = await checkout.npm('rollback', '--json');
    const { releases } = releaseList.parse(JSON.parse(shown.stdout));
    expect(releases.map(({ failure }) => failure?.includes('smoke tests failed') ?? false)).toEqual([
      false, // the rollback
      true,
      false,
      false,
    ]);
  });

  it('has nothing to do where nothing has changed', async () => {
    const { result, ...unchanged } = await deploy(checkout, '--no-smoke');
    expect(result.exitCode, result.output).toBe(0);
    expect(unchanged.verdict).toBe('unchanged');
  });

  it('is one at a time, and is gone on from where it was killed in the middle of the update', async () => {
    const serving = await servingRelease(checkout);
    await configure(checkout, 'logLevel', 'warn');
    const first = checkout.start('deploy', '--yes');
    await first.until(/▸ Preview/);
    const second = await checkout.npm('deploy', '--yes');
    expect(second.exitCode).toBe(1);
    expect(second.output).toContain(`is being deployed by process ${await deployingProcess(checkout)}, since`);

    await first.until(/service-\w+ creating/);
    process.kill(await deployingProcess(checkout), 'SIGKILL');
    process.kill(await updatingProcess(checkout), 'SIGKILL');
    await first.ended;
    await client.untilHealthy(30);
    expect((await client.send('GET', '/openapi.json')).status).toBe(200);

    const { result, ...next } = await deploy(checkout);
    expect(result.exitCode, result.output).toBe(0);
    expect(result.output).toContain('was killed midway: the log says so now');
    expect(result.output).toContain('its lock is taken away');
    expect(next).toMatchObject({ verdict: 'deployed', from: serving });
  });

  it('is gone on from where it was killed in the smoke tests, or in a copy', async () => {
    await configure(checkout, 'logLevel', 'error');
    const killed = checkout.start('deploy', '--yes');
    await killed.until(/▸ Smoke tests/);
    process.kill(await deployingProcess(checkout), 'SIGKILL');
    await killed.ended;
    await client.untilHealthy(30);
    // As a copy is left that was being written.
    const half = join(checkout.directory, 'backups', 'local', '.in-progress');
    await quiet`mkdir ${half}`;

    const { result, ...next } = await deploy(checkout);
    expect(result.exitCode, result.output).toBe(0);
    expect(next.verdict).toBe('unchanged');
    expect(result.output).toContain('Its half-written safety copy is taken away');
    expect(existsSync(half)).toBe(false);
  });

  it('is interrupted by Ctrl-C: the update ends tidily', async () => {
    const serving = await servingRelease(checkout);
    await configure(checkout, 'logLevel', 'info');
    const stopped = checkout.start('deploy', '--yes');
    await stopped.until(/service-\w+ creating/);
    process.kill(await deployingProcess(checkout), 'SIGINT');
    const { exitCode, output } = await stopped.ended;
    expect(exitCode, output).toBe(130);
    expect(output).toContain('Interrupted');
    expect(existsSync(await locksOf(checkout))).toBe(true);
    expect(await readdir(await locksOf(checkout))).toEqual([]);
    await client.untilHealthy(30);
    expect(await servingRelease(checkout)).toBe(serving);
  });

  it('leaves a history of all that, and of updates that it has not made', async () => {
    const shown = await checkout.npm('history', '--json');
    const rows = history.parse(JSON.parse(shown.stdout));
    expect(rows.map(({ by, verdict }) => `${by} ${verdict}`).reverse()).toEqual([
      'update succeeded',
      'deploy deployed',
      'deploy rolled back',
      'deploy unchanged',
      'deploy interrupted',
      'deploy deployed',
      'deploy interrupted',
      'deploy unchanged',
      'deploy interrupted',
    ]);
    expect(rows.find(({ verdict }) => verdict === 'rolled back')?.updates).toHaveLength(2);
    const table = await checkout.npm('history', '--limit', '2');
    expect(table.stdout.trim().split('\n')).toHaveLength(3);
  });
});

async function deploy(checkout: Checkout, ...args: string[]) {
  const result: CommandResult = await checkout.npm('deploy', '--yes', '--json', ...args);
  const line = result.stdout.trim().split('\n').at(-1) ?? '';
  return {
    result,
    ...report.parse(JSON.parse(line || `{"steps":[],"verdict":"none","from":null,"to":null,"reason":null}`)),
  };
}

/** A hook that keeps what it is told. */
async function keepFacts(checkout: Checkout, hook: string): Promise<void> {
  const file = join(checkout.directory, 'hooks', hook);
  await writeFile(file, `#!/bin/sh\nenv -0 >"${checkout.directory}/.kit/facts-${hook}"\n`);
  await chmod(file, 0o755);
}

async function factsOf(checkout: Checkout, hook: string): Promise<Record<string, string>> {
  const text = await readFile(join(checkout.directory, '.kit', `facts-${hook}`), 'utf8');
  const lines = text.split('\0').filter((line) => line !== '');
  return Object.fromEntries(lines.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
}

function container(checkout: Checkout, role: string): string {
  return `${checkout.config.namespace}-${role}`;
}

async function configure(checkout: Checkout, key: string, value: string): Promise<void> {
  const set = await checkout.npm('pulumi', 'config', 'set', key, value, '-s', 'local');
  expect(set.exitCode, set.output).toBe(0);
}

async function stackOutputs(checkout: Checkout) {
  const shown = await checkout.npm('pulumi', 'stack', 'output', '-s', 'local', '--json', '--show-secrets');
  return outputs.parse(JSON.parse(shown.stdout));
}

/** What Caddy serves, which is more than what the state says. */
async function servingRelease(checkout: Checkout): Promise<string> {
  const { stdout } = await quiet`docker exec ${container(checkout, 'caddy')} live-release`;
  return /service-(\w+):/.exec(stdout)?.[1] ?? stdout;
}

async function openClient(checkout: Checkout): Promise<Client> {
  const { url, supabaseSecretKey } = await stackOutputs(checkout);
  const authority = join(checkout.directory, '.kit', 'root.crt');
  await quiet`docker cp ${container(checkout, 'caddy')}:/data/caddy/pki/authorities/local/root.crt ${authority}`;
  return Client.open({ url, address: '127.0.0.1', key: supabaseSecretKey, certificateAuthority: authority });
}

/** Rows per table of ours in a database of the stack's PostgreSQL. */
async function rowCounts(checkout: Checkout, database: string): Promise<string[]> {
  const count = `select relname, (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from public.%I', relname), false, true, '')))[1]
    from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relpersistence = 'p' order by relname`;
  const { stdout } =
    await quiet`docker exec ${container(checkout, 'postgres')} psql -h /run/postgresql -U postgres -Atc ${count} ${database}`;
  const lines = stdout.trim().split('\n');
  expect(lines).toContain('conversations|1');
  return lines;
}

/** The names of the keys in a snapshot of Redis, all on one line, as another Redis reads them. */
async function keysIn(checkout: Checkout, snapshot: string): Promise<string> {
  const label = `conversation-kit.stack=${checkout.config.namespace}`;
  const serve =
    'cd /tmp && cat >dump.rdb && redis-server --daemonize yes --save "" >/dev/null && until redis-cli ping | grep -q PONG; do sleep 0.1; done; redis-cli keys "*"';
  const { stdout } = await quiet({
    input: await readFile(snapshot),
  })`docker run --rm -i --network none --label ${label} --entrypoint sh ${baseImage()} -ec ${serve}`;
  return stdout;
}

const holder = z.object({ pid: z.number() });

async function deployingProcess(checkout: Checkout): Promise<number> {
  return holder.parse(JSON.parse(await readFile(join(checkout.directory, '.kit', 'deploys', 'local.lock'), 'utf8')))
    .pid;
}

async function locksOf(checkout: Checkout): Promise<string> {
  const locks = join(
    checkout.directory,
    '.kit',
    'state',
    '.pulumi',
    'locks',
    'organization',
    'conversation-kit',
    'local',
  );
  return locks;
}

/** The process that holds Pulumi's own lock. */
async function updatingProcess(checkout: Checkout): Promise<number> {
  const folder = await locksOf(checkout);
  for (let tries = 0; tries < 100; tries += 1) {
    const [name] = existsSync(folder) ? await readdir(folder) : [];
    if (name) return holder.parse(JSON.parse(await readFile(join(folder, name), 'utf8'))).pid;
    await delay(50);
  }
  throw new Error(`nobody holds the lock of the stack in ${folder}`);
}
