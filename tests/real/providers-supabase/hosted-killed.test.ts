import { expect, test } from 'vitest';
import type { ManagementApi } from '../../support/management-api/management-api.ts';
import { PulumiProject } from '../../support/pulumi-project.ts';
import { startManagementApi } from './project-fixtures.ts';

/** The hosted path when the machine dies in the middle of it: the real engine, and the Management API on loopback. */
const program = `
  const provider = new supabase.Provider('management', { managementUrl: process.env.TEST_MANAGEMENT_URL });
  const project = new supabase.Project('project', {
    organization: 'acme',
    name: 'conversations',
    region: 'eu-central-1',
    databasePassword: pulumi.secret(process.env.TEST_PASSWORD ?? ''),
    instanceSize: 'small',
  }, { provider });
  new supabase.ProjectSettings('settings', {
    ref: project.ref, siteUrl: 'https://example.com', maxRows: 50, sslEnforced: true,
  }, { provider });`;

// Two at a time: nearly all of it is one start of the engine after the other.
test.concurrent.each([
  ['even', 0],
  ['odd', 1],
])(
  'an update that is killed at any %s call can be run again: one project, the same end',
  {
    timeout: 1_200_000,
  },
  async (_which, lane) => {
    const { api, database, close } = await startManagementApi();
    let project: PulumiProject | undefined;
    try {
      const start = async () => {
        project?.end();
        api.reset();
        project = new PulumiProject('supabase', {
          SUPABASE_ACCESS_TOKEN: api.token,
          TEST_MANAGEMENT_URL: api.url,
          TEST_PASSWORD: database.password,
        }).program(program);
        return project.start();
      };
      const succeed = async (by: PulumiProject, ...args: string[]) => {
        const { exitCode, text } = await by.pulumi(...args);
        for (const secret of [api.token, database.password]) expect(text).not.toContain(secret);
        expect(exitCode, text).toBe(0);
      };
      const up = ['up', '--yes', '--skip-preview'];
      await succeed(await start(), ...up);
      const calls = [...api.calls];
      expect(calls.length).toBeGreaterThan(5);
      const end = endState(api);
      for (const [at, call] of calls.entries()) {
        if (at % 2 !== lane) continue;
        // A request without effect is the same before and after it; looking twice would only take longer.
        for (const when of call.startsWith('GET') ? (['after'] as const) : (['before', 'after'] as const)) {
          const killed = await start();
          api.fault = (index) => (index >= at ? { kind: 'hang', when } : undefined);
          await killed.killedWhen(() => api.calls.length > at, ...up);
          api.fault = () => undefined;
          await succeed(killed, 'cancel', '--yes');
          await succeed(killed, ...up);
          expect(endState(api), `killed ${when} ${call} (${at})`).toEqual(end);
          expect(killed.resources().map(({ type }) => type)).toEqual([
            'supabase:index:Project',
            'supabase:index:ProjectSettings',
          ]);
          expect(api.misunderstood).toEqual([]);
        }
      }
    } finally {
      project?.end();
      await close();
    }
  },
);

/** The one project as a person finds it; what differs from run to run left out. */
function endState(api: ManagementApi) {
  const { name, organization, region, password, size, auth, rest, sslEnforced, allowed, keys } = api.theProject();
  const names = keys.map((key) => `${key.type} ${key.name}`);
  return { name, organization, region, password, size, auth, rest, sslEnforced, allowed, names };
}
