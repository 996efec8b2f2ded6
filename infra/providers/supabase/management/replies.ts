import { z } from 'zod';

/**
 * Replies of the Management API, as far as they are read here: after the OpenAPI document that it publishes. What is not
 * read is not checked, so that an addition to the API breaks nothing.
 */
export const projectReply = z.object({
  ref: z.string(),
  organization_slug: z.string(),
  name: z.string(),
  region: z.string(),
  status: z.string(),
});
export type ProjectReply = z.output<typeof projectReply>;

export const projectWithDatabaseReply = projectReply.extend({ database: z.object({ host: z.string() }) });
export type ProjectWithDatabaseReply = z.output<typeof projectWithDatabaseReply>;

export const healthReply = z.array(
  z.object({ name: z.string(), status: z.enum(['COMING_UP', 'ACTIVE_HEALTHY', 'UNHEALTHY']) }),
);

export const apiKeyReply = z.object({
  name: z.string(),
  type: z.enum(['legacy', 'publishable', 'secret']).nullish(),
  api_key: z.string().nullish(),
  inserted_at: z.string().nullish(),
});
export type ApiKeyReply = z.output<typeof apiKeyReply>;

export const addonsReply = z.object({
  selected_addons: z.array(z.object({ type: z.string(), variant: z.object({ id: z.string() }) })),
});

export const poolerReply = z.array(
  z.object({
    database_type: z.enum(['PRIMARY', 'READ_REPLICA']),
    db_user: z.string(),
    db_host: z.string(),
    db_port: z.number(),
    db_name: z.string(),
  }),
);

export const postgrestReply = z.object({
  db_schema: z.string(),
  max_rows: z.number(),
  jwt_secret: z.string().optional(),
});

export const authReply = z.object({
  site_url: z.string().nullish(),
  uri_allow_list: z.string().nullish(),
  disable_signup: z.boolean().nullish(),
  external_email_enabled: z.boolean().nullish(),
  mailer_autoconfirm: z.boolean().nullish(),
  external_google_enabled: z.boolean().nullish(),
  external_google_client_id: z.string().nullish(),
  external_google_secret: z.string().nullish(),
  external_apple_enabled: z.boolean().nullish(),
  external_apple_client_id: z.string().nullish(),
  external_apple_secret: z.string().nullish(),
});
export type AuthReply = z.output<typeof authReply>;

export const sslReply = z.object({
  currentConfig: z.object({ database: z.boolean() }),
  appliedSuccessfully: z.boolean(),
});

export const networkReply = z.object({
  entitlement: z.enum(['disallowed', 'allowed']),
  config: z.object({
    dbAllowedCidrs: z.array(z.string()).default([]),
    dbAllowedCidrsV6: z.array(z.string()).default([]),
  }),
});

export const loginRoleReply = z.object({ role: z.string(), password: z.string(), ttl_seconds: z.number() });
