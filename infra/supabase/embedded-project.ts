import * as pulumi from '@pulumi/pulumi';
import { EmbeddedSupabase } from '../docker/embedded-supabase.ts';
import type { KitImage } from '../docker/image.ts';
import { Postgres } from '../docker/postgres.ts';
import type { StackContext } from '../docker/stack-context.ts';
import { Secret } from '../kit/secret.ts';
import type { ProjectAdministration, SupabaseProject } from './project.ts';

export interface EmbeddedProjectArgs {
  readonly stack: StackContext;
  readonly images: { postgres(): KitImage; supabase(): KitImage };
  readonly supabasePort: number;
  readonly postgresPort: number;
  readonly siteUrl: string;
  readonly secretsGeneration: number;
}

/** A Supabase project on the box itself: PostgreSQL, the embedded Supabase in front of it, and keys made for it. */
export class EmbeddedProject extends pulumi.ComponentResource implements SupabaseProject {
  readonly connection: SupabaseProject['connection'];
  readonly administration: ProjectAdministration;

  constructor(name: string, args: EmbeddedProjectArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:supabase:EmbeddedProject', name, {}, opts);
    const own = { parent: this };
    const secret = (what: string, prefix = '') =>
      new Secret(`${name}-${what}`, { bytes: 32, prefix, generation: args.secretsGeneration }, own).value;
    const databasePassword = secret('database-password');
    const keys = {
      publishableKey: secret('publishable-key', 'sb_publishable_'),
      secretKey: secret('secret-key', 'sb_secret_'),
      jwtSecret: secret('jwt-secret'),
    };

    const postgres = new Postgres(
      'postgres',
      { stack: args.stack, image: args.images.postgres(), password: databasePassword, port: args.postgresPort },
      own,
    );
    const supabase = new EmbeddedSupabase(
      'supabase',
      {
        stack: args.stack,
        image: args.images.supabase(),
        keys,
        databasePassword,
        port: args.supabasePort,
        siteUrl: args.siteUrl,
        postgres,
      },
      own,
    );

    const url = 'http://supabase:54321';
    this.connection = { url, identity: url, hasPublicKeys: false, ...keys };
    this.administration = {
      url: `http://127.0.0.1:${args.supabasePort}`,
      secretKey: keys.secretKey,
      database: {
        databaseUrl: pulumi.interpolate`postgres://postgres:${databasePassword}@127.0.0.1:${args.postgresPort}/postgres`,
      },
      ready: [supabase],
    };
    this.registerOutputs();
  }
}
