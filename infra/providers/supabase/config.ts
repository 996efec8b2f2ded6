import { z } from 'zod';
import { databaseUrlSchema } from './database/database-url.ts';

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
      "Direct connection to the project's PostgreSQL, for migrations: `postgres://user:password@host:5432/postgres`.",
    )
    .meta({ secret: true, environment: ['SUPABASE_DATABASE_URL'] }),
});
export type SupabaseConfig = z.output<typeof supabaseConfig>;

/** A resource needs a part of the configuration that is not set. */
export class MissingConfigError extends Error {
  override readonly name = 'MissingConfigError';
}

/** The value of a key, from the environment where it is not configured. Throws {@link MissingConfigError} with the ways to set it. */
export function required(config: SupabaseConfig, key: keyof SupabaseConfig): string {
  const { environment, secret } = z
    .object({ environment: z.tuple([z.string()]), secret: z.boolean().optional() })
    .parse(supabaseConfig.shape[key].meta());
  const value = config[key] ?? process.env[environment[0]];
  if (value) return value;
  throw new MissingConfigError(
    `the Supabase provider has no ${key}: pass it to new supabase.Provider(…), ` +
      `or: pulumi config set ${secret ? '--secret ' : ''}supabase:${key} <value>, or set ${environment[0]}`,
  );
}
