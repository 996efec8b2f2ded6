import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { pino } from 'pino';
import postgres from 'postgres';
import { type EmbeddedSupabase, startEmbeddedSupabase } from '../../../embedded-supabase/start.ts';
import type { Caller } from '../../../service/conversation/conversation.ts';
import { RedisConnection } from '../../../service/storage/redis/redis-connection.ts';
import type { SupabaseSettings } from '../../../service/storage/supabase/supabase-calls.ts';
import { SupabaseStore } from '../../../service/storage/supabase/supabase-store.ts';
import { freePort, startPostgres, startRedis, type TestPostgres, type TestServer } from '../../support/containers.ts';
import { migrate } from '../../support/migrate.ts';

/** A Supabase with the kit's migrations, and PostgreSQL behind it. */
export interface TestRecord {
  readonly settings: SupabaseSettings & { readonly jwtSecret: string };
  readonly postgres: TestPostgres;
  /** The database itself, as superuser. */
  readonly sql: postgres.Sql;
  /** Takes the API away, and brings it back on the same port. */
  stopApi(): Promise<void>;
  startApi(): Promise<void>;
  /** A user that exists, with a token that is good for an hour. */
  signUp(): Promise<TestUser>;
  token(claims: Record<string, unknown>, expires?: string): Promise<string>;
  close(): Promise<void>;
}

export type TestUser = Extract<Caller, { kind: 'user' }>;

export async function startRecord(): Promise<TestRecord> {
  const server = await startPostgres();
  const directory = await mkdtemp(join(tmpdir(), 'service-record-'));
  const sql = postgres(server.url, { max: 4, onnotice() {} });
  const port = await freePort();
  const jwtSecret = randomBytes(24).toString('hex');
  const settings = {
    url: `http://127.0.0.1:${port}`,
    publishableKey: `sb_publishable_${randomBytes(12).toString('hex')}`,
    secretKey: `sb_secret_${randomBytes(12).toString('hex')}`,
    jwtSecret,
  };
  let api: EmbeddedSupabase | undefined;
  const startApi = async () => {
    const database = { host: server.host, port: server.port, name: server.database, user: server.user };
    api = await startEmbeddedSupabase(
      {
        ...settings,
        host: '127.0.0.1',
        port,
        database: { ...database, password: server.password },
        storageDirectory: directory,
        siteUrl: 'http://localhost:3000',
        maxFileSize: 1024 * 1024,
      },
      pino({ level: 'silent' }),
    );
    await api.ready;
  };
  const close = async () => {
    await api?.close();
    await sql.end({ timeout: 1 });
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await startApi();
    await migrate(sql);
    await untilServed(settings);
  } catch (error) {
    await close();
    throw error;
  }
  const token = (claims: Record<string, unknown>, expires = '1h') =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuedAt()
      .setExpirationTime(expires)
      .sign(new TextEncoder().encode(jwtSecret));
  return {
    settings,
    postgres: server,
    sql,
    startApi,
    stopApi: async () => api?.close(),
    token,
    async signUp() {
      const id = randomUUID();
      await sql`insert into auth.users (id, email) values (${id}, ${`${id}@example.com`})`;
      return { kind: 'user', id, token: await token({ sub: id, role: 'authenticated', aud: 'authenticated' }) };
    },
    close,
  };
}

/** The API reads the schema again when it hears of a migration, a moment after it. */
async function untilServed(settings: SupabaseSettings): Promise<void> {
  const store = new SupabaseStore(settings);
  await store.untilReady(AbortSignal.timeout(20_000));
  await store.close();
}

export interface TestRedis extends TestServer {
  readonly settings: { readonly url: string; readonly password: string };
  /** Another connection; ready. */
  connect(required?: boolean): Promise<RedisConnection>;
}

export async function startTestRedis(): Promise<TestRedis> {
  const server = await startRedis();
  const settings = { url: `redis://${server.host}:${server.port}`, password: server.password };
  return {
    ...server,
    settings,
    async connect(required = false) {
      const connection = new RedisConnection(settings, required);
      await connection.untilReady(AbortSignal.timeout(10_000));
      return connection;
    },
  };
}
