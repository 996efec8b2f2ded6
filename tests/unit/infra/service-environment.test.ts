import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { serviceEnvironment } from '../../../infra/docker/service-release.ts';
import { readSettings } from '../../../service/config.ts';

// The program and the service never import each other: this is where what one writes meets what the other reads.
describe('the environment that the program gives to the service', () => {
  const secrets = mkdtempSync(join(tmpdir(), 'conversation-kit-'));
  afterAll(() => rmSync(secrets, { recursive: true }));

  it.each([true, false])('is one that the service starts with (public keys: %s)', (hasPublicKeys) => {
    const url = 'http://supabase:54321';
    const supabase = { url, identity: url, publishableKey: '', secretKey: '', jwtSecret: '' };
    const given = serviceEnvironment(
      {
        supabase: { ...supabase, hasPublicKeys },
        redis: { url: 'redis://redis:6379', password: '' },
        chatUpstreams: undefined,
        timeoutHours: 24,
        requestsPerMinute: 600,
        otlpEndpoint: undefined,
        logLevel: 'info',
      },
      url,
    );
    const environment = Object.entries(given).map(([name, value]) => [
      name,
      name.endsWith('_FILE') ? secret(value) : value,
    ]);
    expect(readSettings({ ...Object.fromEntries(environment), RELEASE_ID: '0123456789' })).toMatchObject({
      port: 8079,
      releaseId: '0123456789',
    });
  });

  function secret(path: string): string {
    const file = join(secrets, basename(path));
    const prefix = path.includes('publishable') ? 'sb_publishable_' : path.includes('secret-key') ? 'sb_secret_' : '';
    writeFileSync(file, `${prefix}${'x'.repeat(40)}`);
    return file;
  }
});
