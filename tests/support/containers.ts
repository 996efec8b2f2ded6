import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { baseImageReference } from '../../images/base/reference.ts';

/**
 * Real Redis and PostgreSQL servers for tests: containers of the base image, each on a loopback port of its own that
 * stays the same over kill and restart. A server that does not come up fails the test with its log.
 */
export interface TestServer {
  readonly host: string;
  readonly port: number;
  readonly password: string;
  readonly container: Docker.Container;
  /** SIGKILL, as a power cut would; what the server had written stays. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, or stops and starts it; returns when it answers. */
  restart(): Promise<void>;
  /** Removes it with all it stored. */
  stop(): Promise<void>;
}

export interface TestPostgres extends TestServer {
  readonly user: 'postgres';
  readonly database: 'postgres';
  readonly url: string;
}

const docker = new Docker();
const host = '127.0.0.1';

/** The image that every test server runs from; the set-up of `npm test` has built it. */
export const baseImage = baseImageReference;

/**
 * A loopback port that nobody listens on. It lies below those that connections take theirs from, and in the share of this
 * worker of vitest, so that it is still free when a server starts there minutes later.
 */
export async function freePort(): Promise<number> {
  const share = 1000;
  const first = 20_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 12) * share;
  for (let tries = 0; tries < share; tries++) {
    const port = first + (nextPort++ % share);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port between ${first} and ${first + share} is free`);
}

let nextPort = randomInt(1000);

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = Promise.withResolvers<boolean>();
  server.once('error', () => listening.resolve(false)).listen(port, host, () => listening.resolve(true));
  const free = await listening.promise;
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}

export async function startPostgres(options: { settings?: Record<string, string> } = {}): Promise<TestPostgres> {
  const password = randomBytes(12).toString('hex');
  const port = await freePort();
  const settings = Object.entries({ listen_addresses: '*', max_connections: '200', ...options.settings });
  const server = await startServer({
    port,
    password,
    internalPort: 5432,
    env: [`PASSWORD=${password}`],
    script: [
      'export PATH=$(echo /usr/lib/postgresql/*/bin):$PATH PGDATA=/tmp/data',
      'if [ ! -s $PGDATA/PG_VERSION ]; then echo "$PASSWORD" >/tmp/pw',
      'initdb --no-sync --username=postgres --pwfile=/tmp/pw --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8',
      'echo "host all all all scram-sha-256" >>$PGDATA/pg_hba.conf; fi',
      `exec postgres -k /tmp ${settings.map(([name, value]) => `-c ${name}='${value}'`).join(' ')}`,
    ],
    answers: async () => {
      const sql = postgres({ host, port, user: 'postgres', password, max: 1, connect_timeout: 2, onnotice() {} });
      try {
        await sql`select 1`;
      } finally {
        await sql.end({ timeout: 1 });
      }
    },
  });
  return {
    ...server,
    user: 'postgres',
    database: 'postgres',
    url: `postgres://postgres:${password}@${host}:${port}/postgres`,
  };
}

export async function startRedis(options: { conf?: Record<string, string> } = {}): Promise<TestServer> {
  const password = randomBytes(12).toString('hex');
  const port = await freePort();
  const conf = { appendonly: 'yes', appendfsync: 'everysec', 'maxmemory-policy': 'volatile-lru', ...options.conf };
  return startServer({
    port,
    password,
    internalPort: 6379,
    env: [`PASSWORD=${password}`],
    script: [
      'mkdir -p /tmp/data && cd /tmp/data',
      `exec redis-server --bind 0.0.0.0 --requirepass "$PASSWORD" ${Object.entries(conf)
        .map(([name, value]) => `--${name} '${value}'`)
        .join(' ')}`,
    ],
    answers: async () => {
      const redis = new Redis({ host, port, password, lazyConnect: true, retryStrategy: () => null });
      redis.on('error', () => undefined); // the rejected connect() below carries the same error
      try {
        await redis.connect();
        await redis.ping();
      } finally {
        redis.disconnect();
      }
    },
  });
}

interface ServerRecipe {
  readonly port: number;
  readonly password: string;
  readonly internalPort: number;
  readonly env: string[];
  readonly script: string[];
  answers(): Promise<void>;
}

async function startServer(recipe: ServerRecipe): Promise<TestServer> {
  const container = await docker.createContainer({
    Image: baseImage(),
    User: '10001:10001',
    Env: recipe.env,
    Entrypoint: ['/bin/sh', '-ec', recipe.script.join('\n')],
    Labels: { 'conversation-kit.test': randomUUID() },
    HostConfig: {
      Init: true,
      PortBindings: { [`${recipe.internalPort}/tcp`]: [{ HostIp: host, HostPort: String(recipe.port) }] },
    },
    ExposedPorts: { [`${recipe.internalPort}/tcp`]: {} },
  });
  const stop = () => container.remove({ force: true, v: true }).then(() => undefined);
  const start = async () => {
    await container.start();
    await untilAnswering(container, recipe.answers);
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host,
    port: recipe.port,
    password: recipe.password,
    container,
    kill: () =>
      container
        .kill({ signal: 'SIGKILL' })
        .then(() => container.wait())
        .then(() => undefined),
    restart: async () => {
      const { State } = await container.inspect();
      if (State.Running) await container.stop({ t: 10 });
      await start();
    },
    stop,
  };
}

/** Polls because a server has no event for "I accept connections now"; ends early when its process has ended. */
async function untilAnswering(container: Docker.Container, answers: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 150_000;
  for (;;) {
    try {
      await answers();
      return;
    } catch (error) {
      const { State } = await container.inspect();
      if (!State.Running || Date.now() > deadline) {
        const log = await container.logs({ stdout: true, stderr: true, tail: 40 });
        throw new Error(`test server in ${baseImage()} does not answer:\n${log.toString('utf8')}`, { cause: error });
      }
      await delay(100);
    }
  }
}
