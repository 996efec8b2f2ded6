import { randomBytes } from 'node:crypto';
import { InitializationError } from '../../../infra/providers/plugin/resource.ts';
import type { SupabaseConfig } from '../../../infra/providers/supabase/config.ts';
import { project } from '../../../infra/providers/supabase/project/project.ts';
import type { ProjectInputs, ProjectOutputs } from '../../../infra/providers/supabase/project/properties.ts';
import { startPostgres, type TestPostgres } from '../../support/containers.ts';
import { ManagementApi } from '../../support/management-api/management-api.ts';

export const { definition } = project;

export const inputs = (given: Partial<ProjectInputs>): ProjectInputs => definition.inputs.parse(given);

/** The Management API over a database that opens with the password that the projects of a test are made with. */
export async function startManagementApi(): Promise<{
  api: ManagementApi;
  database: TestPostgres;
  close(): Promise<void>;
}> {
  const database = await startPostgres();
  const api = await ManagementApi.start({
    publishableKey: `sb_publishable_${randomBytes(12).toString('hex')}`,
    secretKey: `sb_secret_${randomBytes(12).toString('hex')}`,
    jwtSecret: randomBytes(24).toString('hex'),
    database: { host: database.host, port: database.port, user: database.user, name: database.database },
  });
  return {
    api,
    database,
    close: async () => {
      await api.close();
      await database.stop();
    },
  };
}

/** A context that remembers what was said. */
export function contextFor(api: ManagementApi, config: Partial<SupabaseConfig> = {}) {
  const progress: string[] = [];
  const warnings: string[] = [];
  return {
    urn: 'urn:pulumi:test::project::supabase:index:Project::project',
    preview: false,
    signal: new AbortController().signal,
    config: { accessToken: api.token, managementUrl: api.url, ...config },
    progress: (line: string) => progress.push(line),
    warn: (line: string) => warnings.push(line),
    said: { progress, warnings },
  };
}

/** What the engine would keep of a resource. */
export interface Kept {
  readonly id: string;
  readonly outputs: ProjectOutputs | undefined;
}

/** One update as the engine runs it: makes the resource, or brings what an earlier one left of it to its end. */
export async function up(api: ManagementApi, wanted: ProjectInputs, kept: Kept | undefined): Promise<Required<Kept>> {
  const context = contextFor(api);
  if (!kept) return definition.create(wanted, context);
  const old = { id: kept.id, inputs: wanted, outputs: kept.outputs ?? { ...wanted, ...unknown } };
  if (!definition.update) throw new Error('the resource has no update');
  return { id: kept.id, outputs: await definition.update(kept.id, old, wanted, context) };
}

const unknown = {
  ref: '',
  organization: '',
  name: '',
  region: '',
  apiUrl: '',
  databaseHost: '',
  publishableKey: '',
  secretKey: '',
  jwksUrl: '',
};

/** What is left of a resource whose update failed. */
export const leftBy = (error: unknown): Kept | undefined =>
  error instanceof InitializationError ? { id: error.id, outputs: undefined } : undefined;
