import * as pulumi from '@pulumi/pulumi';
import * as supabase from '@pulumi/supabase';
import type { Settings } from '../config.ts';
import { Secret } from '../kit/secret.ts';
import { lackOfProject } from './lack-of-project.ts';
import type { ProjectAdministration, SupabaseProject } from './project.ts';

export interface HostedProjectArgs extends Settings {
  readonly stack: string;
  /** Address of the service. */
  readonly siteUrl: string;
}

/** A project of the hosted Supabase: told by hand, adopted by its ref, or made. */
export function hostedProject(args: HostedProjectArgs): SupabaseProject {
  if (args.supabaseUrl !== undefined) return toldProject(args);
  const lack = lackOfProject(args.stack, args);
  if (lack?.isUnknown) return unknownProject(lack.why);
  if (lack) told(lack.why, 'What the project is like is not looked up');
  return new HostedProject('project', args);
}

/** A project that the Management API is asked for, or asked to make, and its settings. */
class HostedProject extends pulumi.ComponentResource implements SupabaseProject {
  readonly connection: SupabaseProject['connection'];
  readonly administration: ProjectAdministration;

  constructor(name: string, args: HostedProjectArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:supabase:HostedProject', name, {}, opts);
    const own = { parent: this };
    const { supabaseProjectRef: ref, supabaseOrganization: organization, supabaseRegion: region } = args;
    const generated = (what: string) =>
      new Secret(`${name}-${what}`, { bytes: 32, generation: args.secretsGeneration }, own).value;
    const password = secretOf(args.supabaseDatabasePassword) ?? (ref ? undefined : generated('database-password'));
    const projectName = args.supabaseProjectName ?? (ref ? undefined : args.namespace);
    const login = given({ accessToken: secretOf(args.supabaseAccessToken) });
    const provider = new supabase.Provider(`${name}-management`, login, own);
    // It outlives the stack with what is in it, unless the configuration says otherwise.
    const project = new supabase.Project(
      name,
      {
        ...given({ ref, organization, region, name: projectName, databasePassword: password }),
        ...given({ instanceSize: args.supabaseInstanceSize }),
        allowDelete: args.supabaseAllowDelete,
      },
      { ...own, provider, protect: true, retainOnDelete: !args.supabaseAllowDelete },
    );
    const settings = settingsOf(args);
    if (Object.keys(settings).length > 0) {
      new supabase.ProjectSettings(`${name}-settings`, { ref: project.ref, ...settings }, { ...own, provider });
    }

    // Where users' tokens are signed with public keys only, nothing is to verify with a shared secret: nobody knows this one.
    const unused = generated('unused-jwt-secret');
    this.connection = {
      url: project.apiUrl,
      identity: ref ?? `${organization}/${region}/${projectName}`,
      hasPublicKeys: true,
      publishableKey: project.publishableKey,
      secretKey: project.secretKey,
      jwtSecret: pulumi.all([project.jwtSecret, unused]).apply(([secret, otherwise]) => secret ?? otherwise),
    };
    this.administration = {
      url: project.apiUrl,
      secretKey: project.secretKey,
      database: password
        ? { databaseUrl: project.databaseUrl.apply((url) => url ?? '') }
        : { projectRef: project.ref, ...login },
      ready: [project],
    };
    this.registerOutputs();
  }
}

/** Settings of a project that is made; of one that is adopted only those that the configuration states. */
function settingsOf(args: HostedProjectArgs): Omit<supabase.ProjectSettingsArgs, 'ref'> {
  const isMade = args.supabaseProjectRef === undefined;
  const { googleClientId, appleClientId } = args;
  return given({
    siteUrl: args.supabaseSiteUrl ?? (isMade ? args.siteUrl : undefined),
    redirectUrls: args.supabaseRedirectUrls?.split(',').map((url) => url.trim()),
    sslEnforced: isMade ? true : undefined,
    google: googleClientId === undefined ? undefined : true,
    googleClientId,
    googleClientSecret: secretOf(args.googleClientSecret),
    apple: appleClientId === undefined ? undefined : true,
    appleClientId,
    appleClientSecret: secretOf(args.appleClientSecret),
  });
}

function toldProject(args: HostedProjectArgs): SupabaseProject {
  const { supabaseUrl, databaseUrl, supabasePublishableKey, supabaseSecretKey, supabaseJwtSecret } = args;
  const url = supabaseUrl ?? '';
  const secretKey = pulumi.secret(supabaseSecretKey ?? '');
  return {
    connection: {
      url,
      identity: url,
      hasPublicKeys: false,
      publishableKey: supabasePublishableKey ?? '',
      secretKey,
      jwtSecret: pulumi.secret(supabaseJwtSecret ?? ''),
    },
    administration: { url, secretKey, database: { databaseUrl: pulumi.secret(databaseUrl ?? '') }, ready: [] },
  };
}

/** Stands, at a preview only, for a project that nothing is known of. */
function unknownProject(why: string): SupabaseProject {
  told(why, 'Its tables and buckets are left out of this preview');
  const unknown = 'not-known-yet';
  const url = `https://${unknown}.invalid`;
  const keys = { publishableKey: unknown, secretKey: unknown, jwtSecret: unknown };
  return { connection: { url, identity: url, hasPublicKeys: false, ...keys }, administration: undefined };
}

/** What stops an update, and a preview only tells. */
function told(why: string, consequence: string): void {
  if (!pulumi.runtime.isDryRun()) throw new Error(why);
  pulumi.log.warn(`${why}. ${consequence}.`);
}

const secretOf = (value: string | undefined) => (value === undefined ? undefined : pulumi.secret(value));

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the keys that have no value. */
function given<T extends object>(values: T): Given<T> {
  // What is left has exactly the keys whose values are not undefined: the type says so, and the compiler can't see it.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}
