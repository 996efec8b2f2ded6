import { z } from 'zod';
import { databaseUrlSchema } from './database/database-url.ts';

/** Stands in `projectUrl` for the ref of a project. */
const refPlaceholder = '{ref}';

export const projectRef = z.string().regex(/^[a-z]{20}$/, 'must be 20 letters a-z, as in https://<ref>.supabase.co');

/**
 * Configuration of the provider: `new supabase.Provider(…)`, `pulumi config set supabase:…`, or, read only when a resource
 * needs it and never stored, the environment.
 */
export const supabaseConfig = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'must be a URL such as https://<ref>.supabase.co' })
    .optional()
    .describe('API address of the project, for example `https://<ref>.supabase.co`.')
    .meta({ environment: ['SUPABASE_URL'] }),
  secretKey: z
    .string()
    .min(1, 'must not be empty')
    .optional()
    .describe('Secret key of the project (`sb_secret_…`), or the legacy `service_role` key.')
    .meta({ secret: true, environment: ['SUPABASE_SECRET_KEY'] }),
  databaseUrl: databaseUrlSchema
    .optional()
    .describe(
      "Connection to the project's PostgreSQL, for migrations: `postgres://user:password@host:5432/postgres`. Left out, with `projectRef` and an access token: a login role that is made for some minutes, through the project's pooler.",
    )
    .meta({ secret: true, environment: ['SUPABASE_DATABASE_URL'] }),
  accessToken: z
    .string()
    .regex(/^sbp_\w{16,}$/, 'must be an access token (sbp_…)')
    .optional()
    .describe(
      'Access token of the Management API (`sbp_…`, from https://supabase.com/dashboard/account/tokens), for `Project` and `ProjectSettings`.',
    )
    .meta({ secret: true, environment: ['SUPABASE_ACCESS_TOKEN'] }),
  projectRef: projectRef
    .optional()
    .describe('Ref of the project, for connections to its database without a `databaseUrl`.')
    .meta({ environment: ['SUPABASE_PROJECT_REF'] }),
  managementUrl: z
    .url({ protocol: /^https?$/, error: 'must be a URL such as https://api.supabase.com' })
    .optional()
    .describe('Address of the Management API, for tests. Left out: `https://api.supabase.com`.')
    .meta({ environment: ['SUPABASE_MANAGEMENT_URL'] }),
  projectUrl: z
    .string()
    .regex(/^https?:\/\//, `must be a URL such as https://${refPlaceholder}.supabase.co`)
    .optional()
    .describe(
      `API address of a \`Project\`, \`${refPlaceholder}\` standing for its ref, for tests. Left out: \`https://${refPlaceholder}.supabase.co\`.`,
    )
    .meta({ environment: ['SUPABASE_PROJECT_URL'] }),
});
export type SupabaseConfig = z.output<typeof supabaseConfig>;

/** A resource needs a part of the configuration that is not set, or has a mistake in the environment. */
export class MissingConfigError extends Error {
  override readonly name = 'MissingConfigError';
}

/** The value of a key, from the environment where it is not configured. Throws {@link MissingConfigError} for a mistake there. */
export function optional(config: SupabaseConfig, key: keyof SupabaseConfig): string | undefined {
  const configured = config[key];
  if (configured !== undefined) return configured;
  const { environment } = annotations(key);
  const value = process.env[environment];
  if (!value) return undefined;
  const { error } = supabaseConfig.shape[key].safeParse(value);
  if (error) throw new MissingConfigError(`${environment} ${error.issues.map(({ message }) => message).join(', ')}`);
  return value;
}

/** As {@link optional}. Throws {@link MissingConfigError} with the ways to set it when it is nowhere. */
export function required(config: SupabaseConfig, key: keyof SupabaseConfig): string {
  const value = optional(config, key);
  if (value !== undefined) return value;
  const { environment, secret } = annotations(key);
  throw new MissingConfigError(
    `the Supabase provider has no ${key}: pass it to new supabase.Provider(…), ` +
      `or: pulumi config set ${secret ? '--secret ' : ''}supabase:${key} <value>, or set ${environment}`,
  );
}

/** API address of a project. */
export function projectUrlOf(config: SupabaseConfig, ref: string): string {
  return (optional(config, 'projectUrl') ?? `https://${refPlaceholder}.supabase.co`).replace(refPlaceholder, ref);
}

function annotations(key: keyof SupabaseConfig) {
  const { environment, secret } = z
    .object({ environment: z.tuple([z.string()]), secret: z.boolean().optional() })
    .parse(supabaseConfig.shape[key].meta());
  return { environment: environment[0], secret };
}
