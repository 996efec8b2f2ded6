import type {
  ApplyProjectAddonBody,
  CreateApiKeyBody,
  CreateRoleBody,
  NetworkRestrictionsRequest,
  SslEnforcementRequest,
  UpdateAuthConfigBody,
  V1CreateProjectBody,
  V1UpdatePasswordBody,
  V1UpdateProjectBody,
} from 'supabase-management-js';
import { z } from 'zod';

/**
 * What the Management API accepts, strictly: an unknown property is a mistake. The types are those of a client that is
 * generated from the API's OpenAPI document; limits and patterns are that document's.
 */
const compute = z.enum(['ci_micro', 'ci_small', 'ci_medium', 'ci_large', 'ci_xlarge']);
const region = z.enum(['us-east-1', 'us-west-1', 'eu-west-1', 'eu-central-1', 'eu-central-2', 'ap-southeast-1']);

/** Of a project; the API's variants of compute are named after them. */
export const size = z.enum(['nano', 'micro', 'small', 'medium', 'large', 'xlarge']);

export const createProject = z.strictObject({
  db_pass: z.string(),
  name: z.string().max(256),
  organization_slug: z.string().regex(/^[\w-]+$/),
  region_selection: z.strictObject({ type: z.literal('specific'), code: region }),
  desired_instance_size: size.exactOptional(),
}) satisfies z.ZodType<V1CreateProjectBody>;

export const updateProject = z.strictObject({
  name: z.string().min(1).max(256),
}) satisfies z.ZodType<V1UpdateProjectBody>;

export const updatePassword = z.strictObject({
  password: z.string().min(4),
}) satisfies z.ZodType<V1UpdatePasswordBody>;

export const createApiKey = z.strictObject({
  type: z.enum(['publishable', 'secret']),
  name: z
    .string()
    .min(4)
    .max(64)
    .regex(/^[a-z_][a-z0-9_]+$/),
}) satisfies z.ZodType<CreateApiKeyBody>;

export const createRole = z.strictObject({ read_only: z.boolean() }) satisfies z.ZodType<CreateRoleBody>;

export const applyAddon = z.strictObject({
  addon_type: z.literal('compute_instance'),
  addon_variant: compute,
}) satisfies z.ZodType<ApplyProjectAddonBody>;

export const enforceSsl = z.strictObject({
  requestedConfig: z.strictObject({ database: z.boolean() }),
}) satisfies z.ZodType<SslEnforcementRequest>;

export const restrictNetwork = z.strictObject({
  dbAllowedCidrs: z.array(z.cidrv4()),
  dbAllowedCidrsV6: z.array(z.cidrv6()),
}) satisfies z.ZodType<NetworkRestrictionsRequest>;

export const updatePostgrest = z.strictObject({
  db_schema: z.string().exactOptional(),
  max_rows: z.int().min(0).max(1_000_000).exactOptional(),
});

const nullable = { text: z.string().nullable().exactOptional(), flag: z.boolean().nullable().exactOptional() };

export const updateAuth = z.strictObject({
  site_url: z
    .string()
    .regex(/^[^,]+$/)
    .nullable()
    .exactOptional(),
  uri_allow_list: nullable.text,
  disable_signup: nullable.flag,
  external_email_enabled: nullable.flag,
  mailer_autoconfirm: nullable.flag,
  external_google_enabled: nullable.flag,
  external_google_client_id: nullable.text,
  external_google_secret: nullable.text,
  external_apple_enabled: nullable.flag,
  external_apple_client_id: nullable.text,
  external_apple_secret: nullable.text,
}) satisfies z.ZodType<UpdateAuthConfigBody>;

const services = z.enum(['auth', 'db', 'db_postgres_user', 'pooler', 'realtime', 'rest', 'storage', 'pg_bouncer']);
export const healthQuery = z.strictObject({ services: z.array(services).min(1) });
export const revealQuery = z.strictObject({ reveal: z.tuple([z.literal('true')]) });
export const noQuery = z.strictObject({});
