import * as pulumi from '@pulumi/pulumi';
import type { Settings } from '../config.ts';
import type { SupabaseProject } from './project.ts';

type HostedSettings = Pick<
  Settings,
  'supabaseUrl' | 'databaseUrl' | 'supabasePublishableKey' | 'supabaseSecretKey' | 'supabaseJwtSecret'
>;

/**
 * A hosted project that exists already, told by the stack's configuration. Creating one and reading its keys is not
 * there yet: a preview without the five values says so and goes on, an update stops.
 */
export function hostedProject(stack: string, settings: HostedSettings): SupabaseProject {
  const { supabaseUrl, databaseUrl, supabasePublishableKey, supabaseSecretKey, supabaseJwtSecret } = settings;
  const needed = { supabaseUrl, databaseUrl, supabasePublishableKey, supabaseSecretKey, supabaseJwtSecret };
  const missing = Object.entries(needed).flatMap(([key, value]) => (value === undefined ? [key] : []));
  if (missing.length > 0) reportMissing(stack, missing);

  const url = supabaseUrl ?? `https://${unknown}.invalid`;
  const secretKey = pulumi.secret(supabaseSecretKey ?? unknown);
  return {
    connection: {
      url,
      publishableKey: supabasePublishableKey ?? unknown,
      secretKey,
      jwtSecret: pulumi.secret(supabaseJwtSecret ?? unknown),
    },
    administration:
      missing.length > 0 ? undefined : { url, secretKey, databaseUrl: pulumi.secret(databaseUrl ?? ''), ready: [] },
  };
}

/** Stands, at a preview only, for what is not set. */
const unknown = 'not-known-yet';

function reportMissing(stack: string, missing: readonly string[]): void {
  const text =
    `The hosted Supabase project of stack ${stack} is not known yet, and creating one is not there yet: ${missing.join(', ')} not set. ` +
    `Take the values from the project's dashboard: pulumi config set <key> <value> [--secret] -s ${stack}`;
  if (!pulumi.runtime.isDryRun()) throw new Error(text);
  pulumi.log.warn(`${text}. Its tables and buckets are left out of this preview.`);
}
