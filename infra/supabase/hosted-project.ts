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
  const missing = Object.entries({
    supabaseUrl: settings.supabaseUrl,
    databaseUrl: settings.databaseUrl,
    supabasePublishableKey: settings.supabasePublishableKey,
    supabaseSecretKey: settings.supabaseSecretKey,
    supabaseJwtSecret: settings.supabaseJwtSecret,
  }).flatMap(([key, value]) => (value === undefined ? [key] : []));
  if (missing.length > 0) reportMissing(stack, missing);

  const url = settings.supabaseUrl ?? 'https://not-there-yet.invalid';
  const secretKey = pulumi.secret(settings.supabaseSecretKey ?? '');
  return {
    connection: {
      url,
      publishableKey: settings.supabasePublishableKey ?? '',
      secretKey,
      jwtSecret: pulumi.secret(settings.supabaseJwtSecret ?? ''),
    },
    administration: { url, secretKey, databaseUrl: pulumi.secret(settings.databaseUrl ?? ''), ready: [] },
  };
}

function reportMissing(stack: string, missing: readonly string[]): void {
  const text =
    `The hosted Supabase project of stack ${stack} is not known: ${missing.join(', ')} not set. ` +
    `Take the values from the project's dashboard: pulumi config set <key> <value> [--secret] -s ${stack}`;
  if (!pulumi.runtime.isDryRun()) throw new Error(text);
  pulumi.log.warn(text);
}
