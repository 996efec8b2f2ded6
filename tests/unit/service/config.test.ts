import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigurationError, readSettings } from '../../../service/config.ts';
import { environmentExample } from '../../../service/environment-variables.ts';

const files: Record<string, string> = {
  '/run/secrets/supabase-publishable-key': 'sb_publishable_abc\n',
  '/run/secrets/supabase-secret-key': 'sb_secret_abc\n',
  '/run/secrets/supabase-jwt-secret': `${'j'.repeat(40)}\n`,
  '/run/secrets/redis-password': 'hunter2\n',
  '/empty': '\n',
};
const readFile = (path: string) => {
  const content = files[path];
  if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
  return content;
};
const example = () => parseEnv(readFileSync('.env.example', 'utf8'));
const mistakes = (environment: Record<string, string | undefined>): readonly string[] => {
  try {
    readSettings(environment, readFile);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.mistakes;
    throw error;
  }
  return [];
};

describe('.env.example', () => {
  it('is what the code says (npx vitest run -u --project unit tests/unit/service/config.test.ts writes it)', async () => {
    await expect(environmentExample()).toMatchFileSnapshot('../../../.env.example');
  });

  it('is a valid environment', () => {
    expect(readSettings(example(), readFile)).toEqual({
      host: '0.0.0.0',
      port: 8079,
      releaseId: 'dev',
      logLevel: 'info',
      authentication: {
        secretKey: 'sb_secret_abc',
        jwtSecret: 'j'.repeat(40),
        publicKeys: undefined,
        issuer: undefined,
      },
      rateLimits: { user: 600, server: 120_000, failed: 30 },
      trustedProxies: expect.anything(),
      tracing: undefined,
      storage: {
        backend: 'dual',
        fallback: undefined,
        supabase: { url: 'http://127.0.0.1:54321', publishableKey: 'sb_publishable_abc', secretKey: 'sb_secret_abc' },
        redis: { url: 'redis://127.0.0.1:6379', password: 'hunter2' },
        outboxDirectory: '/var/lib/outbox',
      },
      lifetimeSeconds: 86_400,
      chatUpstreams: { upstreams: [], standard: undefined },
    });
  });
});

describe('the environment', () => {
  it('needs of Supabase and Redis what the backend needs', () => {
    const keys = {
      SUPABASE_SECRET_KEY_FILE: '/run/secrets/supabase-secret-key',
      SUPABASE_JWT_SECRET_FILE: '/run/secrets/supabase-jwt-secret',
    };
    const memory = readSettings({ ...keys, CONVERSATION_STORAGE_BACKEND: 'memory' }, readFile);
    expect(memory.storage).toMatchObject({ backend: 'memory', supabase: undefined, redis: undefined });
    expect(mistakes({ ...keys, CONVERSATION_STORAGE_BACKEND: 'redis' })).toEqual([
      expect.stringMatching(/^REDIS_URL is missing/),
    ]);
    expect(mistakes({ ...keys, CONVERSATION_STORAGE_BACKEND: 'supabase' })).toHaveLength(3);
  });

  it('has every mistake listed at once', () => {
    const wrong = {
      PORT: '80x',
      RELEASE_ID: 'a b',
      LOG_LEVEL: 'loud',
      CONVERSATION_STORAGE_BACKEND: 'sqlite',
      CONVERSATION_STORAGE_FALLBACK: 'yes',
      CONVERSATION_TIMEOUT_HOURS: '-1',
      SUPABASE_URL: 'supabase:54321',
      SUPABASE_PUBLISHABLE_KEY_FILE: '/run/secrets/supabase-secret-key',
      SUPABASE_SECRET_KEY_FILE: '/not/there',
      SUPABASE_JWT_SECRET_FILE: '/empty',
      REDIS_URL: 'redis://:hunter2@redis:6379',
      OUTBOX_DIRECTORY: 'outbox',
      RATE_LIMIT_USER: 'many',
      TRUSTED_PROXIES: 'caddy',
    };
    const found = mistakes(wrong);
    expect(found.map((mistake) => mistake.split(' ')[0]).toSorted()).toEqual(Object.keys(wrong).toSorted());
    expect(found).toContain("SUPABASE_SECRET_KEY_FILE names a file that can't be read (ENOENT): /not/there");
  });

  it('has no secret in its mistakes', () => {
    const found = mistakes({
      ...example(),
      SUPABASE_PUBLISHABLE_KEY_FILE: '/run/secrets/supabase-secret-key',
      REDIS_URL: 'redis://:hunter2@redis:6379',
    });
    expect(found).toHaveLength(2);
    expect(found.join()).not.toMatch(/sb_secret_abc|hunter2/);
  });

  it('tells how users sign in: by a secret, by the keys of the project, or by those of a file', () => {
    const { SUPABASE_JWT_SECRET_FILE: _, ...without } = example();
    expect(mistakes(without)).toEqual([expect.stringMatching(/^SUPABASE_JWT_SECRET_FILE is missing/)]);
    const { authentication } = readSettings({ ...without, SUPABASE_JWKS: 'project' }, readFile);
    expect(authentication.keptKeysDirectory).toBe(example().OUTBOX_DIRECTORY);
    expect(authentication).toMatchObject({
      jwtSecret: undefined,
      publicKeys: new URL('http://127.0.0.1:54321/auth/v1/.well-known/jwks.json'),
      issuer: 'http://127.0.0.1:54321/auth/v1',
    });
    const key = { kty: 'EC', crv: 'P-256', kid: 'k1', x: 'a', y: 'b' };
    const reading = (keys: object) => (path: string) =>
      path === '/keys' ? JSON.stringify({ keys: [keys] }) : readFile(path);
    const issuer = 'https://project.example/auth/v1';
    const fromFile = readSettings({ ...without, SUPABASE_JWKS: '/keys', SUPABASE_JWT_ISSUER: issuer }, reading(key));
    expect(fromFile.authentication).toMatchObject({ publicKeys: { keys: [key] }, issuer });
    for (const wrong of [
      { ...key, d: 'private' },
      { kty: 'oct', k: 'a secret' },
    ]) {
      expect(() => readSettings({ ...without, SUPABASE_JWKS: '/keys' }, reading(wrong))).toThrow(/SUPABASE_JWKS/);
    }
    expect(mistakes({ ...without, SUPABASE_JWKS: 'project', CONVERSATION_STORAGE_BACKEND: 'memory' })).toEqual([
      expect.stringMatching(/^SUPABASE_JWKS is project/),
    ]);
  });

  it('takes fractions of hours', () => {
    expect(readSettings({ ...example(), CONVERSATION_TIMEOUT_HOURS: '0.5' }, readFile).lifetimeSeconds).toBe(1800);
  });
});
