import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { SignJWT } from 'jose';
import { pino } from 'pino';
import postgres from 'postgres';
import { expect, vi } from 'vitest';
import type { Settings } from '../../../embedded-supabase/config.ts';
import { type EmbeddedSupabase, startEmbeddedSupabase } from '../../../embedded-supabase/start.ts';
import { startPostgres, type TestPostgres } from '../../support/containers.ts';

/** An embedded Supabase over a PostgreSQL of its own, and the ways into it. */
export interface Fixture {
  readonly supabase: EmbeddedSupabase;
  readonly settings: Settings;
  readonly postgres: TestPostgres;
  /** The database itself, as a migration reaches it. */
  readonly sql: postgres.Sql;
  readonly url: string;
  /** Runs statements as a migration does, and returns when the API knows what they changed. */
  migrate(statements: string): Promise<void>;
  /** Under the secret key: role service_role. */
  readonly server: SupabaseClient;
  /** Under the publishable key: role anon until it signs in. */
  client(): SupabaseClient;
  /** A client that has signed up, with the id of its user. */
  signedUp(email?: string): Promise<{ client: SupabaseClient; id: string; email: string }>;
  /** A token of these claims under the stack's JWT secret. */
  token(claims: Record<string, unknown>, expires?: string): Promise<string>;
  close(): Promise<void>;
}

export async function startFixture(changes: Partial<Settings> = {}): Promise<Fixture> {
  const server = await startPostgres();
  const directory = await mkdtemp(join(tmpdir(), 'embedded-supabase-'));
  const sql = postgres(server.url, { max: 4, onnotice() {} });
  const settings = { ...settingsFor(server, directory), ...changes };
  let supabase: EmbeddedSupabase;
  try {
    supabase = await startEmbeddedSupabase(settings, pino({ level: 'silent' }));
    await supabase.ready;
  } catch (error) {
    await sql.end({ timeout: 1 });
    await server.stop();
    throw error;
  }
  const connect = (key: string) =>
    createClient(supabase.url, key, { auth: { persistSession: false, autoRefreshToken: false } });
  const client = () => connect(settings.publishableKey);
  const service = connect(settings.secretKey);
  let migrations = 0;
  return {
    supabase,
    settings,
    postgres: server,
    sql,
    url: supabase.url,
    async migrate(statements) {
      migrations += 1;
      const name = `migrated_${migrations}`;
      await sql.unsafe(`${statements}; create function public.${name}() returns int language sql as 'select 1'`);
      await vi.waitUntil(async () => (await service.rpc(name)).status === 200, { timeout: 20_000 });
    },
    server: service,
    client,
    async signedUp(email = `${randomBytes(6).toString('hex')}@example.com`) {
      const own = client();
      const { data, error } = await own.auth.signUp({ email, password: 'correct horse' });
      if (error !== null || data.user === null) throw new Error('sign-up failed', { cause: error });
      return { client: own, id: data.user.id, email };
    },
    token: (claims, expires = '1h') =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuedAt()
        .setExpirationTime(expires)
        .sign(new TextEncoder().encode(settings.jwtSecret)),
    async close() {
      await supabase.close();
      await sql.end({ timeout: 1 });
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function settingsFor(server: TestPostgres, storageDirectory: string): Settings {
  return {
    host: '127.0.0.1',
    port: 0,
    database: {
      host: server.host,
      port: server.port,
      name: server.database,
      user: server.user,
      password: server.password,
    },
    jwtSecret: randomBytes(24).toString('hex'),
    publishableKey: `sb_publishable_${randomBytes(12).toString('hex')}`,
    secretKey: `sb_secret_${randomBytes(12).toString('hex')}`,
    storageDirectory,
    siteUrl: 'http://localhost:3000',
    maxFileSize: 1024 * 1024,
  };
}

/** The data of an answer without an error; the error otherwise. */
export function dataOf<A extends { data: unknown; error: unknown }>(answer: A): NonNullable<Succeeded<A>['data']> {
  if (succeeded(answer) && answer.data !== null && answer.data !== undefined) return answer.data;
  throw new Error(`the request failed: ${JSON.stringify(answer.error)}`, { cause: answer.error });
}

type Succeeded<A> = Extract<A, { error: null }>;

function succeeded<A extends { error: unknown }>(answer: A): answer is Succeeded<A> {
  return answer.error === null;
}

/** An expectation of what something comes to be, on a machine that may be busy. */
export function eventually<T>(look: () => T) {
  return expect.poll(look, { timeout: 20_000 });
}
