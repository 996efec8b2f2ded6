import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { baseImageReference } from '../../../images/base/reference.ts';
import { docker, type Hardened, type Workbench, workbench } from './hardened.ts';

describe('the image of PostgreSQL', () => {
  const bench: Workbench = workbench();
  const password = "p'ss\\w%sörd";
  let image: string;
  let data: string;
  let server: Hardened;

  const options = (secret = password) => ({
    secrets: { 'postgres-password': secret },
    volumes: { [data]: '/var/lib/postgresql/data' },
    scratch: ['/run/postgresql'],
    ports: [5432],
    memory: 768,
  });
  const connect = async (to: Hardened, secret: string) =>
    postgres({
      host: '127.0.0.1',
      port: await to.port(5432),
      user: 'postgres',
      password: secret,
      max: 1,
      onnotice() {},
    });
  const query = async (to: Hardened, sql: string, secret = password) => {
    const client = await connect(to, secret);
    try {
      return await client.unsafe(sql);
    } finally {
      await client.end({ timeout: 1 });
    }
  };

  beforeAll(async () => {
    image = await bench.build('postgres');
    data = await bench.volume();
    server = await bench.start(image, options());
    await server.untilHealthy();
  });
  afterAll(() => bench.clean());

  test('runs as the account of the kit and can write nothing but its volumes', async () => {
    expect((await server.run('id')).output).toBe('uid=10001(kit) gid=10001(kit) groups=10001(kit)');
    expect((await server.run('touch', '/var/lib/postgresql/x')).output).toContain('Read-only file system');
  });

  test('makes a UTF-8 cluster with checksums and scram passwords', async () => {
    const show = async (name: string) => Object.values((await query(server, `show ${name}`))[0] ?? {})[0];
    expect(await show('server_encoding')).toBe('UTF8');
    expect(await query(server, 'select distinct datcollate from pg_database')).toMatchObject([
      { datcollate: 'C.UTF-8' },
    ]);
    expect(await show('data_checksums')).toBe('on');
    expect(await show('password_encryption')).toBe('scram-sha-256');
    expect(await show('fsync')).toBe('on');
  });

  test('takes a quarter of its memory for its cache', async () => {
    expect(await query(server, 'show shared_buffers')).toMatchObject([{ shared_buffers: '192MB' }]);
    expect(await query(server, 'show effective_cache_size')).toMatchObject([{ effective_cache_size: '384MB' }]);
  });

  test('lets nobody in without the password, and shows it nowhere', async () => {
    await expect(query(server, 'select 1', 'wrong')).rejects.toThrow(/password authentication failed/);
    const inspection = JSON.stringify(await server.container.inspect());
    const processes = JSON.stringify(await server.container.top());
    for (const place of [inspection, processes, await server.log()]) expect(place).not.toContain("p'ss");
  });

  test('keeps what was committed when it is killed', async () => {
    await query(server, 'create table kept (id int); insert into kept values (1)');
    await server.container.kill({ signal: 'SIGKILL' });
    await server.container.start();
    await server.untilHealthy();
    expect(await query(server, 'select id from kept')).toMatchObject([{ id: 1 }]);
  });

  test('stops within seconds although a client stays connected', async () => {
    const client = await connect(server, password);
    await client`select 1`;
    const began = performance.now();
    await server.container.stop({ t: 30 });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect((await server.container.inspect()).State.ExitCode).toBe(0);
    expect(await server.log()).toContain('database system is shut down');
    await client.end({ timeout: 0 });
  });

  test('takes a new password with the next container on the same volume', async () => {
    server = await bench.start(image, options('another'));
    await server.untilHealthy();
    await expect(query(server, 'select 1')).rejects.toThrow(/password authentication failed/);
    expect(await query(server, 'select id from kept', 'another')).toMatchObject([{ id: 1 }]);
  });

  test('starts no second server on a volume that is in use', async () => {
    const second = await bench.start(image, { ...options('another'), ports: [] });
    expect(await second.ended()).toBe(1);
    expect(await second.log()).toContain('another PostgreSQL uses this volume');
    expect(await query(server, 'select 1 as still', 'another')).toMatchObject([{ still: 1 }]);
  });

  test('redoes an initialisation that was interrupted', async () => {
    const volume = await bench.volume();
    const half = await bench.start(image, {
      volumes: { [volume]: '/var/lib/postgresql/data' },
      command: [],
      scratch: ['/run/postgresql'],
      secrets: { 'postgres-password': password },
    });
    await half.container.kill({ signal: 'SIGKILL' });
    const again = await bench.start(image, { ...options(), volumes: { [volume]: '/var/lib/postgresql/data' } });
    await again.untilHealthy();
    expect(await query(again, 'select 1 as answer')).toMatchObject([{ answer: 1 }]);
    expect((await again.run('ls', '/var/lib/postgresql/data')).output.split('\n')).toEqual(['cluster', 'lock']);
  });

  test.each([
    ['without a password file', {}, 'there is no readable /run/secrets/postgres-password'],
    ['with an empty one', { 'postgres-password': '' }, '/run/secrets/postgres-password is empty'],
  ])('says what is wrong %s', async (_case, secrets, words) => {
    const volume = await bench.volume();
    const wrong = await bench.start(image, { secrets, volumes: { [volume]: '/var/lib/postgresql/data' } });
    expect(await wrong.ended()).toBe(1);
    expect(await wrong.log()).toContain(words);
  });

  test('finds its place on an image that declares a volume for another account, as the official one does', async () => {
    const official = await bench.derive(baseImageReference(), [
      'RUN mkdir -p /var/lib/postgresql/data && chown 999:999 /var/lib/postgresql/data && chmod 1777 /var/lib/postgresql/data',
      'RUN mkdir -p /run/postgresql && chown 999:999 /run/postgresql && chmod 3777 /run/postgresql',
      'VOLUME /var/lib/postgresql/data',
      'ENTRYPOINT ["docker-entrypoint.sh"]',
      'CMD ["postgres"]',
    ]);
    const onOfficial = await bench.build('postgres', {}, official);
    const volume = await bench.volume();
    const started = await bench.start(onOfficial, { ...options(), volumes: { [volume]: '/var/lib/postgresql/data' } });
    await started.untilHealthy();
    expect(await query(started, 'select 1 as answer')).toMatchObject([{ answer: 1 }]);
  });

  test('adds little to the base image', async () => {
    const { Size } = await docker.getImage(image).inspect();
    expect(Size / 1e6).toBeLessThan(320);
  });
});
