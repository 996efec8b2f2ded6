import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseConfig, type RawConfig } from '../../../infra/config.ts';
import { hostedProject } from '../../../infra/supabase/hosted-project.ts';
import type { SupabaseProject } from '../../../infra/supabase/project.ts';
import { registeredBy } from '../../support/pulumi-mocks.ts';

const ref = 'abcdefghijklmnopqrst';

beforeEach(() => vi.stubEnv('SUPABASE_ACCESS_TOKEN', `sbp_${'0'.repeat(40)}`));
afterEach(() => vi.unstubAllEnvs());

/** What a stack of this configuration registers for its project. */
async function registered(config: RawConfig) {
  let project: SupabaseProject | undefined;
  const resources = await registeredBy(() => {
    project = hostedProject({ ...parseConfig('ryzen', config), stack: 'ryzen', siteUrl: 'https://box.example' });
  });
  const inputsOf = (type: string) => resources.find((resource) => resource.type === type)?.inputs;
  return {
    project,
    made: inputsOf('supabase:index:Project'),
    settings: inputsOf('supabase:index:ProjectSettings'),
    secrets: resources.filter(({ type }) => type === 'kit:index:Secret').map(({ name }) => name),
  };
}

describe('the hosted project of a stack', () => {
  it('is adopted by its ref, with nothing of it stated', async () => {
    const { made, settings, project, secrets } = await registered({ supabaseProjectRef: ref });
    expect(made).toEqual({ ref, allowDelete: false });
    expect(settings).toBeUndefined();
    expect(secrets).toEqual(['project-unused-jwt-secret']);
    expect(project?.connection.identity).toBe(ref);
    expect(Object.keys(project?.administration?.database ?? {})).toEqual(['projectRef']);
  });

  it('is made with a password of its own, the service as its site and TLS enforced', async () => {
    const { made, settings, project } = await registered({
      supabaseOrganization: 'acme',
      supabaseRegion: 'eu-central-1',
      supabaseInstanceSize: 'micro',
      supabaseAllowDelete: 'true',
    });
    expect(made).toMatchObject({
      organization: 'acme',
      region: 'eu-central-1',
      name: 'conversation-kit-ryzen',
      instanceSize: 'micro',
      allowDelete: true,
    });
    expect(JSON.stringify(made?.databasePassword)).toContain('value of project-database-password');
    expect(settings).toMatchObject({ siteUrl: 'https://box.example', sslEnforced: true });
    expect(Object.keys(project?.administration?.database ?? {})).toEqual(['databaseUrl']);
  });

  it('has only the settings changed that the configuration states, when it is adopted', async () => {
    const { settings } = await registered({
      supabaseProjectRef: ref,
      supabaseRedirectUrls: 'https://a.example/**, app://callback',
      googleClientId: 'id',
      googleClientSecret: 'a google secret',
    });
    expect(settings).toMatchObject({
      redirectUrls: ['https://a.example/**', 'app://callback'],
      google: true,
      googleClientId: 'id',
    });
    expect(Object.keys(settings ?? {}).sort()).toEqual([
      'google',
      'googleClientId',
      'googleClientSecret',
      'redirectUrls',
      'ref',
    ]);
  });

  it('is told by hand without any of that', async () => {
    const { made, project } = await registered({
      supabaseUrl: 'https://supabase.example',
      databaseUrl: 'postgres://postgres:password@db.example:5432/postgres',
      supabasePublishableKey: 'sb_publishable_key',
      supabaseSecretKey: 'sb_secret_key',
      supabaseJwtSecret: 'x'.repeat(32),
    });
    expect(made).toBeUndefined();
    expect(project?.connection).toMatchObject({ url: 'https://supabase.example', hasPublicKeys: false });
  });

  it('stops an update that knows nothing of it', () => {
    const args = { ...parseConfig('ryzen', {}), stack: 'ryzen', siteUrl: 'https://box.example' };
    expect(() => hostedProject(args)).toThrow('set supabaseProjectRef to adopt one, or supabaseOrganization');
  });

  it('stops an update without an access token', () => {
    vi.stubEnv('SUPABASE_ACCESS_TOKEN', '');
    const args = {
      ...parseConfig('ryzen', { supabaseProjectRef: ref }),
      stack: 'ryzen',
      siteUrl: 'https://box.example',
    };
    expect(() => hostedProject(args)).toThrow('npm run pulumi -- config set --secret supabaseAccessToken -s ryzen');
  });
});
