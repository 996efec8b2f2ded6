import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type {
  ApiKeyResponse,
  ListProjectAddonsResponse,
  NetworkRestrictionsResponse,
  PostgrestConfigWithJWTSecretResponse,
  SslEnforcementResponse,
  SupavisorConfigResponse,
  V1ProjectWithDatabaseResponse,
} from 'supabase-management-js';
import type { z } from 'zod';
import type { createProject, size, updateAuth } from './requests.ts';

/** What stands behind a project: keys and database of a Supabase that runs. */
export interface Backing {
  readonly publishableKey: string;
  readonly secretKey: string;
  readonly jwtSecret: string;
  readonly database: { readonly host: string; readonly port: number; readonly user: string; readonly name: string };
}

type AuthSettings = z.output<typeof updateAuth>;

/** One project in the state of the fake, in the API's words. */
export interface HostedProject {
  readonly ref: string;
  readonly organization: string;
  name: string;
  readonly region: string;
  readonly createdAt: string;
  password: string;
  /** What the next looks at it see; the last one stays. */
  statuses: V1ProjectWithDatabaseResponse['status'][];
  /** How many looks at the health still see a service that is not up. */
  unhealthyLooks: number;
  size: z.output<typeof size> | undefined;
  keys: ApiKeyResponse[];
  auth: AuthSettings;
  rest: { db_schema: string; max_rows: number };
  sslEnforced: boolean;
  allowed: { v4: string[]; v6: string[] };
}

const letters = (count: number) =>
  Array.from(randomBytes(count), (byte) => String.fromCharCode(97 + (byte % 26))).join('');

export function newProject(body: z.output<typeof createProject>, backing: Backing): HostedProject {
  return {
    ref: letters(20),
    organization: body.organization_slug,
    name: body.name,
    region: body.region_selection.code,
    createdAt: new Date().toISOString(),
    password: body.db_pass,
    statuses: ['COMING_UP', 'ACTIVE_HEALTHY'],
    unhealthyLooks: 1,
    size: body.desired_instance_size,
    keys: [
      apiKey('publishable', 'default', backing.publishableKey),
      apiKey('secret', 'default', backing.secretKey),
      { name: 'anon', type: 'legacy', api_key: 'an old key', id: null },
    ],
    auth: {
      site_url: 'http://localhost:3000',
      uri_allow_list: '',
      disable_signup: false,
      external_email_enabled: true,
    },
    rest: { db_schema: 'public, graphql_public', max_rows: 1000 },
    sslEnforced: false,
    allowed: { v4: ['0.0.0.0/0'], v6: ['::/0'] },
  };
}

export const apiKey = (type: 'publishable' | 'secret', name: string, key: string): ApiKeyResponse => ({
  api_key: key,
  id: randomUUID(),
  type,
  prefix: key.slice(0, 16),
  name,
  inserted_at: new Date().toISOString(),
});

/** Moves a project on by one look, and tells what that sees. */
export function look(project: HostedProject): V1ProjectWithDatabaseResponse['status'] {
  const [status = 'ACTIVE_HEALTHY', ...later] = project.statuses;
  if (later.length > 0) project.statuses = later;
  return status;
}

export function projectReply(project: HostedProject, { database }: Backing, status = project.statuses[0]) {
  return {
    id: project.ref,
    ref: project.ref,
    organization_id: project.organization,
    organization_slug: project.organization,
    name: project.name,
    region: project.region,
    created_at: project.createdAt,
    status: status ?? 'ACTIVE_HEALTHY',
    database: { host: database.host, version: '17.6.1', postgres_engine: '17', release_channel: 'ga' },
  } satisfies V1ProjectWithDatabaseResponse;
}

export function poolerReply(project: HostedProject, { database }: Backing): SupavisorConfigResponse[] {
  const connection = `postgresql://${database.user}:[YOUR-PASSWORD]@${database.host}:${database.port}/${database.name}`;
  return [
    {
      identifier: project.ref,
      database_type: 'PRIMARY',
      is_using_scram_auth: true,
      db_user: database.user,
      db_host: database.host,
      db_port: database.port,
      db_name: database.name,
      connection_string: connection,
      connectionString: connection,
      default_pool_size: null,
      max_client_conn: null,
      pool_mode: 'session',
    },
  ];
}

export function addonsReply({ size }: HostedProject): ListProjectAddonsResponse {
  if (size === undefined || size === 'nano') return { selected_addons: [], available_addons: [] };
  const price = { description: '', type: 'usage', interval: 'hourly', amount: 0.01 } as const;
  const variant = { id: `ci_${size}`, name: size, price } as const;
  return { selected_addons: [{ type: 'compute_instance', variant }], available_addons: [] };
}

export const postgrestReply = ({ rest }: HostedProject, jwtSecret?: string): PostgrestConfigWithJWTSecretResponse => ({
  ...rest,
  db_extra_search_path: 'public, extensions',
  db_pool: null,
  ...(jwtSecret === undefined ? {} : { jwt_secret: jwtSecret }),
});

/** Of secrets the API tells a digest. */
export function authReply({ auth }: HostedProject): AuthSettings {
  const hidden = (secret: string | null | undefined) =>
    secret ? createHash('sha256').update(`told as ${secret}`).digest('hex') : null;
  return {
    ...auth,
    external_google_secret: hidden(auth.external_google_secret),
    external_apple_secret: hidden(auth.external_apple_secret),
  };
}

export const sslReply = ({ sslEnforced }: HostedProject): SslEnforcementResponse => ({
  currentConfig: { database: sslEnforced },
  appliedSuccessfully: true,
});

export const networkReply = ({ allowed }: HostedProject): NetworkRestrictionsResponse => ({
  entitlement: 'allowed',
  config: { dbAllowedCidrs: allowed.v4, dbAllowedCidrsV6: allowed.v6 },
  status: 'applied',
});
