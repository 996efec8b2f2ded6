import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { $ } from 'zx';
import { dumpEmbedded } from '../../scripts/deploy/postgres-copy.ts';
import { Client } from '../../scripts/smoke/client.ts';
import { type Checkout, type CommandResult, dockerObjects, freshCheckout } from '../support/checkout.ts';
import { freePort } from '../support/containers.ts';

const docker = $({ quiet: true });
const outputs = z.object({ url: z.string(), supabaseSecretKey: z.string() });
const report = z.object({
  differences: z.array(z.object({ thing: z.string(), what: z.string(), remedy: z.string() })),
  unseen: z.array(z.string()),
});

describe('what is changed by hand on a deployed stack', () => {
  let checkout: Checkout;
  let name: (role: string) => string;

  beforeAll(async () => {
    checkout = await freshCheckout({ prepared: true });
    name = (role) => `${checkout.config.namespace}-${role}`;
    const config = Object.entries(checkout.config).map(([key, value]) => `--config=${key}=${value}`);
    succeeded(await checkout.npm('up', '--no-smoke', ...config));
  });
  afterAll(() => checkout?.remove());

  const up = async (...args: string[]) => succeeded(await checkout.npm('up', '--no-smoke', ...args));
  const psql = async (statement: string): Promise<string> => {
    const run = await docker`docker exec ${name('postgres')} psql -h /run/postgresql -U postgres -Atqc ${statement}`;
    return run.stdout.trim();
  };

  /** What `npm run drift` says, a line each, and its exit code. */
  async function drift(): Promise<{ exitCode: number; lines: string[]; unseen: string[] }> {
    const { exitCode, stdout, output } = await checkout.npm('drift', '--json');
    expect([0, 1], output).toContain(exitCode);
    expect(output).not.toMatch(/sb_secret_|postgres:\/\/\w+:[^@]/);
    const { differences, unseen } = reported(stdout);
    return { exitCode, lines: differences.map(({ thing, what }) => `${thing}: ${what}`), unseen };
  }

  const expectNone = async () => expect(await drift()).toEqual({ exitCode: 0, lines: [], unseen: [] });

  it('is nothing right after an update, and an update that looks first changes nothing', async () => {
    await expectNone();
    const args = ['-s', 'local', '--refresh', '--yes', '--skip-preview', '--expect-no-changes', '--non-interactive'];
    succeeded(await checkout.npm('pulumi', 'up', ...args));
  });

  it('is named, thing by thing, and the next update mends it', async () => {
    const policies = await psql("select md5(string_agg(p::text, '' order by p::text)) from pg_policies p");
    await psql('drop policy "users delete their own" on public.conversations');
    await psql('alter policy "users begin their own" on public.conversations with check (true)');
    await psql('alter table public.messages disable row level security');
    await psql(`update storage.buckets set file_size_limit = 1000 where id = 'user-files'`);
    await docker`docker exec ${name('caddy')} sh -c ${changedCaddyfile}`;
    await docker`docker exec ${name('caddy')} sh -c 'rm /etc/caddy/live/* && touch /etc/caddy/live/elsewhere:1'`;
    await docker`docker update --memory 300m --memory-swap 300m ${name('caddy')}`;
    await docker`docker stop ${name('redis')}`;
    await docker`docker network disconnect ${checkout.config.namespace} ${name('redis-commander')}`;
    await docker`docker pause ${name('redis-commander')}`;
    const labels = ['--label', `conversation-kit.stack=${checkout.config.namespace}`];
    const image = (await docker`docker inspect --format {{.Config.Image}} ${name('redis')}`).stdout.trim();
    await docker`docker create ${labels} --name ${name('by-hand')} ${image}`;

    const found = await drift();
    expect(found).toMatchObject({ exitCode: 1, unseen: [] });
    const expected = [
      `container ${name('redis')}: stopped (exit code 0)`,
      `container ${name('redis-commander')}: paused`,
      `container ${name('redis-commander')}: networks: none instead of ${checkout.config.namespace} as redis-commander`,
      `container ${name('caddy')}: memory in MB: 300 instead of 256`,
      'bucket user-files: fileSizeLimit: 1000 instead of 50MB',
      'policy "users delete their own" on public.conversations: dropped',
      'policy "users begin their own" on public.conversations: changed',
      'table public.messages: changed',
      'security audit: no-rls public.messages',
    ];
    expect(found.lines).toEqual(expect.arrayContaining(expected));
    expect(found.lines).toContainEqual(expect.stringMatching(/^Caddy: serves elsewhere:1 instead of service-/));
    expect(found.lines).toContainEqual(expect.stringMatching(/^Caddy: runs another configuration .*max_size/));
    expect(found.lines).toContainEqual(expect.stringContaining(`container ${name('by-hand')}: not of the last update`));

    await up();
    expect(await psql("select md5(string_agg(p::text, '' order by p::text)) from pg_policies p")).toBe(policies);
    const left = await drift();
    expect(left.lines).toEqual([expect.stringContaining(name('by-hand'))]);
    await docker`docker rm ${name('by-hand')}`;
    await expectNone();
  });

  it('can be a container that is gone: what is behind it is said not to be looked at, and all is mended', async () => {
    await docker`docker rm --force ${name('supabase')}`;
    const found = await drift();
    expect(found).toMatchObject({ exitCode: 1, lines: [`container ${name('supabase')}: removed`] });
    expect(found.unseen).toContainEqual(expect.stringContaining('whether the bucket user-files is as it was'));
    await up();
    await expectNone();
  });

  it('can be an edited ledger, which is told and refused with the way on', async () => {
    await psql(
      `insert into supabase_migrations.schema_migrations (version, name) values ('29990101000000', 'by_hand')`,
    );
    expect((await drift()).lines).toEqual(['ledger of the migrations: has also 29990101000000_by_hand']);
    const refused = await checkout.npm('up', '--no-smoke');
    expect(refused.exitCode).toBe(1);
    expect(refused.output).toContain('supabase migration repair --status reverted 29990101000000');
    await psql(`delete from supabase_migrations.schema_migrations where version = '29990101000000'`);
    await up();
    await expectNone();
  });

  it('can be a volume with data: it is never made anew empty before somebody has said so', async () => {
    const volume = name('redis-data');
    await docker`docker rm --force ${name('redis')}`;
    await docker`docker volume rm ${volume}`;
    expect((await drift()).lines).toEqual(
      expect.arrayContaining([`volume ${volume}: gone; it held Redis`, `container ${name('redis')}: removed`]),
    );
    const gone = `the volume ${volume} with the data of Redis is gone`;
    await expectRefused(gone, 'up', '--no-smoke');
    // Without a look at reality, too, and although the state does not know the volume any more.
    await expectRefused(gone, 'pulumi', 'preview', '--refresh=false', '-s', 'local', '--non-interactive');
    succeeded(await checkout.npm('down'));
    await expectRefused(gone, 'up', '--no-smoke');
    expect((await dockerObjects(checkout.config.namespace)).volumes).not.toContain(volume);

    await docker`docker volume create ${volume}`;
    await expectRefused('somebody made another of that name', 'up', '--no-smoke');
    await docker`docker volume rm ${volume}`;
    await up('--accept-volume', volume);
    expect((await dockerObjects(checkout.config.namespace)).volumes).toContain(volume);
    await expectNone();
  });

  it('can be the database: accepted as empty, it takes the copy of a deploy, and everything is there again', async () => {
    const volume = name('postgres-data');
    const client = await openClient();
    const id = await client.create();
    const text = randomUUID();
    await client.append(id, [{ client_message_id: text, role: 'user', content: text }]);
    await expect.poll(() => psql('select count(*) from public.messages')).toBe('1');
    const copy = join(checkout.directory, 'postgres.dump');
    await dumpEmbedded(name('postgres'), copy, { env: process.env, signal: new AbortController().signal });
    await docker`docker rm --force ${name('postgres')}`;
    await docker`docker volume rm ${volume}`;

    // As docs/drift.md has it.
    await up('--accept-volume', volume);
    const labels = ['stack', 'role'].map((key, index) => {
      const value = [checkout.config.namespace, 'service'][index];
      return `--filter=label=conversation-kit.${key}=${value}`;
    });
    const service = (await docker`docker ps -q ${labels}`).stdout.trim();
    await docker`docker stop ${service} ${name('supabase')}`;
    const restore = 'pg_restore -h /run/postgresql -U postgres --clean --if-exists -d postgres';
    await docker`docker exec -i ${name('postgres')} sh -c ${restore} <${copy}`;
    await up();

    await client.untilHealthy(60);
    expect((await client.read(id)).messages.map(({ content }) => content)).toEqual([text]);
    await client.close();
    await expectNone();
  });

  it('is nothing on a box with a hosted project either, whose update changes nothing after a look', async () => {
    const hosted = await reachableFromContainers(Number(checkout.config.supabasePort));
    const namespace = `${checkout.config.namespace}-ryzen`;
    const secret = async (role: string, file: string) =>
      (await docker`docker exec ${name(role)} cat /run/secrets/${file}`).stdout.trim();
    const password = await secret('postgres', 'postgres-password');
    const secrets = {
      databaseUrl: `postgres://postgres:${password}@127.0.0.1:${checkout.config.postgresPort}/postgres`,
      supabaseSecretKey: await secret('supabase', 'secret-key'),
      supabaseJwtSecret: await secret('supabase', 'jwt-secret'),
    };
    const config = {
      namespace,
      images: (await readFile(join(checkout.directory, '.kit', 'image-source'), 'utf8')).trim(),
      httpPort: await freePort(),
      httpsPort: await freePort(),
      redisCommanderPort: await freePort(),
      supabaseUrl: hosted.url,
      supabasePublishableKey: await secret('supabase', 'publishable-key'),
    };
    try {
      succeeded(await checkout.npm('pulumi', 'stack', 'init', 'ryzen', '--no-select'));
      for (const [key, value] of Object.entries(secrets))
        succeeded(await checkout.npm('pulumi', 'config', 'set', '--secret', key, value, '-s', 'ryzen'));
      const flags = Object.entries(config).map(([key, value]) => `--config=${key}=${value}`);
      succeeded(await checkout.npm('up', '--stack', 'ryzen', '--no-smoke', ...flags));
      const looked = succeeded(await checkout.npm('drift', '--stack', 'ryzen', '--json'));
      expect(reported(looked.stdout)).toEqual({ differences: [], unseen: [] });
      const args = ['-s', 'ryzen', '--refresh', '--yes', '--skip-preview', '--expect-no-changes', '--non-interactive'];
      succeeded(await checkout.npm('pulumi', 'up', ...args));
    } finally {
      const down = await checkout.npm('down', '--stack', 'ryzen', '--volumes');
      hosted.close();
      const { containers } = await dockerObjects(namespace);
      expect({ exitCode: down.exitCode, containers }, down.output).toEqual({ exitCode: 0, containers: [] });
    }
  });

  async function openClient(): Promise<Client> {
    const { stdout } = await checkout.npm('pulumi', 'stack', 'output', '-s', 'local', '--json', '--show-secrets');
    const { url, supabaseSecretKey } = outputs.parse(JSON.parse(stdout));
    const authority = join(checkout.directory, '.kit', 'root.crt');
    await docker`docker cp ${name('caddy')}:/data/caddy/pki/authorities/local/root.crt ${authority}`;
    return Client.open({ url, address: '127.0.0.1', key: supabaseSecretKey, certificateAuthority: authority });
  }

  async function expectRefused(why: string, script: string, ...args: string[]): Promise<void> {
    const refused = await checkout.npm(script, ...args);
    expect(refused.exitCode, refused.output).not.toBe(0);
    expect(refused.output).toContain(why);
    expect(refused.output).toContain(`--accept-volume ${name('redis-data')}`);
  }
});

/** A loopback port of this machine, for containers: on the address that their default network has here. */
async function reachableFromContainers(port: number): Promise<{ url: string; close(): void }> {
  const format = '{{(index .IPAM.Config 0).Gateway}}';
  const address = (await docker`docker network inspect bridge --format ${format}`).stdout.trim();
  const server = createServer((incoming) => {
    const outgoing = connect(port, '127.0.0.1');
    pipeline(incoming, outgoing, incoming, () => undefined); // either end may hang up
  });
  const listening = await freePort();
  await new Promise<void>((resolve) => server.listen(listening, address, resolve));
  return { url: `http://${address}:${listening}`, close: () => server.close() };
}

/** A person tries another limit, with a copy of the Caddyfile. */
const changedCaddyfile =
  'sed "s/max_size .*/max_size 1MB/" /etc/caddy/Caddyfile >/tmp/Caddyfile && ' +
  'caddy reload --config /tmp/Caddyfile --adapter caddyfile';

const reported = (stdout: string) => report.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));

function succeeded(result: CommandResult): CommandResult {
  expect(result.exitCode, result.output).toBe(0);
  return result;
}
