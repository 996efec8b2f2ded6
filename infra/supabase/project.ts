import type * as pulumi from '@pulumi/pulumi';
import type { ProviderArgs } from '@pulumi/supabase';

/** The keys of a Supabase project: for clients, for servers, and what signs the users' tokens (HS256). */
export interface ProjectKeys {
  readonly publishableKey: pulumi.Input<string>;
  readonly secretKey: pulumi.Input<string>;
  readonly jwtSecret: pulumi.Input<string>;
}

/** How the service reaches a project. */
export interface ProjectConnection extends ProjectKeys {
  /** API address as the service's container sees it. */
  readonly url: pulumi.Input<string>;
  /** Names the project before its address is known: what is made of the project is named after it. */
  readonly identity: string;
  /** Whether it shows the public keys of users' tokens (JWKS). */
  readonly hasPublicKeys: boolean;
}

/** How this program reaches it, to give it a schema and buckets. */
export interface ProjectAdministration {
  /** API address as this machine sees it. */
  readonly url: pulumi.Input<string>;
  readonly secretKey: pulumi.Input<string>;
  /** The way into its database: a connection, or what a login role is made with. */
  readonly database: Pick<ProviderArgs, 'databaseUrl'> | Pick<ProviderArgs, 'projectRef' | 'accessToken'>;
  /** What has to be there before. */
  readonly ready: readonly pulumi.Resource[];
}

/** A Supabase project, hosted or embedded: the rest of the program does not know which. */
export interface SupabaseProject {
  readonly connection: ProjectConnection;
  /** Undefined at the preview of a project that is not known yet. */
  readonly administration: ProjectAdministration | undefined;
}
