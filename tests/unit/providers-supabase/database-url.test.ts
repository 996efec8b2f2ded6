import { expect, test } from 'vitest';
import {
  databaseUrlSchema,
  parseDatabaseUrl,
  placeOf,
  tlsOf,
} from '../../../infra/providers/supabase/database/database-url.ts';

test('a URL names everything that a connection needs', () => {
  expect(parseDatabaseUrl('postgresql://kit%40home:p%3Aw%2Fd@db.example.com:5433/app?sslmode=require')).toEqual({
    host: 'db.example.com',
    port: 5433,
    database: 'app',
    user: 'kit@home',
    password: 'p:w/d',
    sslMode: 'require',
    sslRootCertificate: undefined,
  });
});

test('port and database have defaults', () => {
  const address = parseDatabaseUrl('postgres://postgres:x@[::1]');
  expect(address).toMatchObject({ host: '::1', port: 5432, database: 'postgres', sslMode: 'prefer' });
  expect(placeOf(address)).toBe('[::1]:5432/postgres');
});

test.each([
  ['not a url at all', 'is not a URL'],
  ['https://user:hunter2@db/app', 'must begin with postgres://'],
  ['postgres://:hunter2@db/app', 'names no user'],
  ['postgres:///app', 'names no host'],
  ['postgres://user:hunter2%@db/app', 'has a % that does not begin an escape'],
  ['postgres://user:hunter2@db/app?sslmode=allow', 'has an sslmode other than disable, prefer, require, verify-full'],
  ['postgres://user:hunter2@db/app?channel_binding=require', 'has a parameter "channel_binding"'],
  ['postgres://user:hunter2@db.abc.supabase.co:6543/postgres', 'transaction pooler'],
  ['postgres://user:hunter2@aws-0-eu.pooler.supabase.com:6543/postgres', 'transaction pooler'],
])('%s is refused in words without the password', (url, message) => {
  const { error } = databaseUrlSchema.safeParse(url);
  expect(error?.issues[0]?.message).toContain(message);
  expect(JSON.stringify(error)).not.toContain('hunter2');
});

test('TLS: what is asked for, and the name that a certificate has to bear', () => {
  const tls = (url: string) => tlsOf(parseDatabaseUrl(url));
  expect(tls('postgres://u:p@db/app?sslmode=disable')).toBe(false);
  expect(tls('postgres://u:p@db/app')).toBe('prefer');
  expect(tls('postgres://u:p@db/app?sslmode=require')).toBe('require');
  expect(tls('postgres://u:p@db/app?sslmode=verify-full')).toEqual({ servername: 'db', rejectUnauthorized: true });
  expect(tls('postgres://u:p@10.0.0.1/app?sslmode=verify-full')).toEqual({
    host: '10.0.0.1',
    rejectUnauthorized: true,
  });
});
