import { afterEach, expect, test, vi } from 'vitest';
import { required, supabaseConfig } from '../../../infra/providers/supabase/config.ts';

afterEach(() => vi.unstubAllEnvs());

test('a value comes from the configuration, else from the environment', () => {
  vi.stubEnv('SUPABASE_SECRET_KEY', 'from the environment');
  expect(required({ secretKey: 'configured' }, 'secretKey')).toBe('configured');
  expect(required({}, 'secretKey')).toBe('from the environment');
});

test('a missing one is told with the ways to set it; a secret is set as one', () => {
  for (const name of ['SUPABASE_URL', 'SUPABASE_SECRET_KEY', 'SUPABASE_DATABASE_URL']) vi.stubEnv(name, '');
  expect(() => required({}, 'databaseUrl')).toThrow(
    'the Supabase provider has no databaseUrl: pass it to new supabase.Provider(…), or: ' +
      'pulumi config set --secret supabase:databaseUrl <value>, or set SUPABASE_DATABASE_URL',
  );
  expect(() => required({}, 'url')).toThrow('pulumi config set supabase:url <value>, or set SUPABASE_URL');
});

test('a mistake in the environment is told without repeating it', () => {
  vi.stubEnv('SUPABASE_ACCESS_TOKEN', 'sbp_with a\nline break');
  expect(() => required({}, 'accessToken')).toThrow(
    expect.objectContaining({ message: 'SUPABASE_ACCESS_TOKEN must be an access token (sbp_…)' }),
  );
});

test.each([
  { url: 'localhost:54321' },
  { url: 'ftp://x' },
  { secretKey: '' },
  { databaseUrl: 'mysql://x' },
  { urll: 'x' },
])('%j is refused', (config) => {
  expect(supabaseConfig.safeParse(config).success).toBe(false);
});
