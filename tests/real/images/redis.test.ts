import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { baseImageReference } from '../../../images/base/reference.ts';
import { docker, type Hardened, projectFile, workbench } from './hardened.ts';

const files = { 'redis.conf': projectFile('redis.conf') };

describe('the image of Redis', () => {
  const bench = workbench();
  const password = 'a pass"word';
  let image: string;
  let data: string;
  let server: Hardened;

  const options = () => ({
    secrets: { 'redis-password': password },
    volumes: { [data]: '/data' },
    environment: { REDIS_MAXMEMORY: '64mb' },
    ports: [6379],
  });
  const connected = async <Result>(to: Hardened, use: (redis: Redis) => Promise<Result>) => {
    const redis = new Redis({
      host: '127.0.0.1',
      port: await to.port(6379),
      password,
      lazyConnect: true,
      retryStrategy: () => null,
    });
    redis.on('error', () => undefined); // the rejected connect() carries the same error
    try {
      await redis.connect();
      return await use(redis);
    } finally {
      redis.disconnect();
    }
  };

  beforeAll(async () => {
    image = await bench.build('redis', files);
    data = await bench.volume();
    server = await bench.start(image, options());
    await server.untilHealthy();
  });
  afterAll(() => bench.clean());

  test('runs as the account of the kit and can write nothing but its volume', async () => {
    expect((await server.run('id')).output).toBe('uid=10001(kit) gid=10001(kit) groups=10001(kit)');
    expect((await server.run('touch', '/etc/x')).output).toContain('Read-only file system');
    expect((await server.run('redis-health')).output).toBe('PONG');
  });

  test('has the persistence, the eviction and the limits that the kit relies on', async () => {
    const { output } = await server.run('redis-admin', 'CONFIG', 'GET', '*');
    const lines = output.split('\n');
    const setting = (name: string) => lines[lines.indexOf(name) + 1];
    expect(setting('appendonly')).toBe('yes');
    expect(setting('appendfsync')).toBe('everysec');
    expect(setting('save')).toBe('900 1 300 10 60 10000');
    expect(setting('aof-load-truncated')).toBe('yes');
    expect(setting('maxmemory')).toBe(String(64 * 1024 * 1024));
    expect(setting('maxmemory-policy')).toBe('volatile-lru');
    expect(setting('latency-monitor-threshold')).toBe('100');
    expect(setting('slowlog-log-slower-than')).toBe('10000');
  });

  test('lets nobody in without the password, and shows it nowhere', async () => {
    expect((await server.run('sh', '-c', 'REDISCLI_AUTH=wrong redis-cli ping')).output).toContain('WRONGPASS');
    expect((await server.run('redis-cli', 'ping')).output).toContain('NOAUTH');
    const inspection = JSON.stringify(await server.container.inspect());
    const processes = JSON.stringify(await server.container.top());
    for (const place of [inspection, processes, await server.log()]) expect(place).not.toContain('a pass');
  });

  test.each([['FLUSHALL'], ['KEYS', '*'], ['CONFIG', 'GET', 'dir'], ['ACL', 'LIST'], ['SHUTDOWN']])(
    'keeps the service from %s',
    async (...command) => {
      const [name = '', ...args] = command;
      await expect(connected(server, (redis) => redis.call(name, ...args))).rejects.toThrow(/NOPERM/);
    },
  );

  test('lets the service do its work, scripts included, and look at latency', async () => {
    await connected(server, async (redis) => {
      expect(await redis.set('hot', 'copy', 'EX', 60)).toBe('OK');
      expect(await redis.eval('return redis.call("GET", KEYS[1])', 1, 'hot')).toBe('copy');
      expect(await redis.scan(0)).toEqual(['0', ['hot']]);
      expect(await redis.call('LATENCY', 'LATEST')).toEqual([]);
      expect(await redis.info('memory')).toContain('maxmemory_policy:volatile-lru');
    });
  });

  test('lets whoever is in the container do everything', async () => {
    expect((await server.run('redis-admin', 'FLUSHALL')).output).toBe('OK');
    expect((await server.run('redis-admin', 'DBSIZE')).output).toBe('0');
  });

  test('keeps what was written when it is killed', async () => {
    await connected(server, (redis) => redis.rpush('outbox', 'one', 'two'));
    await server.container.kill({ signal: 'SIGKILL' });
    await server.container.start();
    await server.untilHealthy();
    expect(await connected(server, (redis) => redis.lrange('outbox', 0, -1))).toEqual(['one', 'two']);
  });

  test('refuses writes rather than evict a key without a time to live', async () => {
    const megabyte = 'x'.repeat(1024 * 1024);
    await connected(server, async (redis) => {
      await redis.set('cached', megabyte, 'EX', 600);
      const fill = async () => {
        for (let index = 0; index < 100; index++) await redis.rpush('outbox', megabyte);
      };
      await expect(fill()).rejects.toThrow(/OOM/);
      expect(await redis.exists('cached')).toBe(0);
      expect(await redis.lrange('outbox', 0, 1)).toEqual(['one', 'two']);
      await redis.ltrim('outbox', 0, 1);
    });
  });

  test.each([
    ['in the middle of a command', 'head -c -7 "$log" >/tmp/cut; cat /tmp/cut >"$log"'],
    ['in zeros', 'head -c -7 "$log" >/tmp/cut; { cat /tmp/cut; head -c 4096 /dev/zero; } >"$log"'],
  ])('starts when its log of commands ends %s, with all before it', async (how, damage) => {
    await connected(server, async (redis) => {
      await redis.set('before', 'kept');
      await redis.set('torn', 'lost');
    });
    await server.container.kill({ signal: 'SIGKILL' });
    const log = 'log=$(ls /data/appendonlydir/*.incr.aof | tail -n 1)';
    await onVolume(`${log}; ${damage}`);
    await server.container.start();
    await server.untilHealthy();
    expect((await server.log()).includes('ends in zeros')).toBe(how === 'in zeros');
    expect(await connected(server, (redis) => redis.mget('before', 'torn'))).toEqual(['kept', null]);
    await connected(server, (redis) => redis.del('before'));
  });

  test('stops cleanly', async () => {
    await server.container.stop({ t: 30 });
    expect((await server.container.inspect()).State.ExitCode).toBe(0);
    await server.container.start();
    await server.untilHealthy();
  });

  test('starts no second server on a volume that is in use', async () => {
    const second = await bench.start(image, { ...options(), ports: [] });
    expect(await second.ended()).toBe(1);
    expect(await second.log()).toContain('another Redis uses this volume');
  });

  test.each([
    ['without a password file', {}, {}, 'there is no readable /run/secrets/redis-password'],
    ['with a wrong size', { 'redis-password': 'x' }, { REDIS_MAXMEMORY: 'lots' }, "REDIS_MAXMEMORY is 'lots'"],
  ])('says what is wrong %s', async (_case, secrets, environment, words) => {
    const wrong = await bench.start(image, { secrets, environment, volumes: { [await bench.volume()]: '/data' } });
    expect(await wrong.ended()).toBe(1);
    expect(await wrong.log()).toContain(words);
  });

  test('owns its data on an image that declares a volume for another account, as the official one does', async () => {
    const official = await bench.derive(baseImageReference(), [
      'RUN mkdir /data && chown 999:999 /data',
      'VOLUME /data',
      'WORKDIR /data',
      'ENTRYPOINT ["docker-entrypoint.sh"]',
    ]);
    const onOfficial = await bench.build('redis', files, official);
    const volume = await bench.volume();
    const started = await bench.start(onOfficial, { ...options(), volumes: { [volume]: '/data' } });
    await started.untilHealthy();
    expect((await started.run('stat', '-c', '%u:%g', '/data')).output).toBe('10001:10001');
  });

  test('adds little to the base image', async () => {
    const { Size } = await docker.getImage(image).inspect();
    expect(Size / 1e6).toBeLessThan(320);
  });

  /** Runs a script over the stopped server's volume. */
  async function onVolume(script: string): Promise<void> {
    const container = await docker.createContainer({
      Image: image,
      Entrypoint: ['sh', '-euc', script],
      Labels: bench.label,
      HostConfig: { Binds: [`${data}:/data`], Tmpfs: { '/tmp': 'mode=1777' } },
    });
    try {
      await container.start();
      expect(await container.wait()).toMatchObject({ StatusCode: 0 });
    } finally {
      await container.remove({ force: true });
    }
  }
});
