import type { Settings } from '../config.ts';

/** What is not known of a hosted project, with the remedy. */
export interface LackOfProject {
  /** Whether nothing is known of it, not even where it is. */
  readonly isUnknown: boolean;
  readonly why: string;
}

type KnownSettings = Pick<
  Settings,
  'supabase' | 'supabaseUrl' | 'supabaseProjectRef' | 'supabaseOrganization' | 'supabaseAccessToken'
>;

/** What an update needs to know of the stack's hosted project, and does not; undefined where it knows all of it. */
export function lackOfProject(stack: string, settings: KnownSettings): LackOfProject | undefined {
  if (settings.supabase === 'embedded' || settings.supabaseUrl !== undefined) return undefined;
  const set = 'npm run pulumi -- config set';
  if (settings.supabaseProjectRef === undefined && settings.supabaseOrganization === undefined) {
    return {
      isUnknown: true,
      why:
        `The hosted Supabase project of stack ${stack} is not known: set supabaseProjectRef to adopt one, or ` +
        `supabaseOrganization and supabaseRegion to have one made (${set} <key> <value> -s ${stack})`,
    };
  }
  if (settings.supabaseAccessToken !== undefined || process.env.SUPABASE_ACCESS_TOKEN) return undefined;
  return {
    isUnknown: false,
    why:
      `Stack ${stack} has no access token for the Management API of Supabase: make one at ` +
      'https://supabase.com/dashboard/account/tokens and set SUPABASE_ACCESS_TOKEN, or ' +
      `${set} --secret supabaseAccessToken -s ${stack}`,
  };
}
