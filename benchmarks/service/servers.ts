import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import {
  freePort,
  startPostgres,
  startRedis,
  type TestPostgres,
  type TestServer,
} from '../../tests/support/containers.ts';
import { migrate } from '../../tests/support/migrate.ts';

/** The servers that everybody is measured on: one Redis, one PostgreSQL, and the embedded Supabase in front of it. */
export interface Servers {
  readonly redis: TestServer & { readonly url: string };
  readonly postgres: TestPostgres;
  readonly supabase: {
    readonly url: string;
    readonly publishableKey: string;
    readonly secretKey: string;
    readonly jwtSecret: string;
  };
  /** The database as its superuser. */
  readonly sql: postgres.Sql;
  /** Of this run alone. */
  readonly directory: string;
  flushRedis(): Promise<void>;
  redisVersion(): Promise<string>;
  close(): Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const directory = await mkdtemp(join(tmpdir(), 'benchmark-'));
  const [redis, database] = await Promise.all([
    startRedis(),
    startPostgres({ settings: { max_connections: '500' } }), // each candidate keeps a pool of its own
  ]);
  const url = `redis://default:${redis.password}@${redis.host}:${redis.port}`;
  const administration = new Redis(url);
  const sql = postgres(database.url, { max: 8, onnotice() {} });
  let api: ChildProcess | undefined;
  const close = async () => {
    if (api !== undefined && api.exitCode === null) {
      api.kill();
      await once(api, 'exit');
    }
    administration.disconnect();
    await sql.end({ timeout: 1 });
    await Promise.all([redis.stop(), database.stop()]);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const supabase = {
      url: `http://127.0.0.1:${await freePort()}`,
      publishableKey: `sb_publishable_${randomBytes(12).toString('hex')}`,
      secretKey: `sb_secret_${randomBytes(12).toString('hex')}`,
      jwtSecret: randomBytes(24).toString('hex'),
    };
    api = await startApi(supabase, database, directory);
    await untilReady(supabase.url);
    await migrate(sql);
    return {
      redis: { ...redis, url },
      postgres: database,
      supabase,
      sql,
      directory,
      flushRedis: async () => {
        await administration.flushall();
      },
      redisVersion: async () => /redis_version:(\S+)/.exec(await administration.info('server'))?.[1] ?? 'unknown',
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** In a process of its own, as on a box. */
async function startApi(
  settings: Servers['supabase'],
  database: TestPostgres,
  directory: string,
): Promise<ChildProcess> {
  const secret = async (name: string, content: string) => {
    const file = join(directory, name);
    await writeFile(file, content, { mode: 0o600 });
    return file;
  };
  return spawn(process.execPath, [join(import.meta.dirname, '../../embedded-supabase/main.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: new URL(settings.url).port,
      DATABASE_HOST: database.host,
      DATABASE_PORT: String(database.port),
      DATABASE_NAME: database.database,
      DATABASE_USER: database.user,
      DATABASE_PASSWORD_FILE: await secret('database-password', database.password),
      JWT_SECRET_FILE: await secret('api-jwt-secret', settings.jwtSecret),
      PUBLISHABLE_KEY_FILE: await secret('api-publishable-key', settings.publishableKey),
      SECRET_KEY_FILE: await secret('api-secret-key', settings.secretKey),
      STORAGE_DIR: join(directory, 'storage'),
      SITE_URL: 'http://localhost:3000',
      LOG_LEVEL: 'warn',
    },
  });
}

async function untilReady(url: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      if ((await fetch(new URL('/health', url))).ok) return;
    } catch (error) {
      if (tries > 300) throw new Error('the embedded Supabase did not start', { cause: error });
    }
    await delay(100);
  }
}
