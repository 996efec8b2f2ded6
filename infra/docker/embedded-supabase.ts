import type * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import type { ProjectKeys } from '../supabase/project.ts';
import { dataVolume } from './data-volume.ts';
import { HardenedContainer } from './hardened-container.ts';
import type { KitImage } from './image.ts';
import type { Postgres } from './postgres.ts';
import type { StackContext } from './stack-context.ts';

export interface EmbeddedSupabaseArgs {
  readonly stack: StackContext;
  readonly image: KitImage;
  readonly keys: ProjectKeys;
  readonly databasePassword: pulumi.Input<string>;
  /** Loopback port on the box. */
  readonly port: number;
  readonly siteUrl: string;
  /** Has to be there before its container; its volume waits for nothing, and outlives them all. */
  readonly postgres: Postgres;
}

/** The stand-in for a hosted Supabase project, in front of the stack's own PostgreSQL. */
export class EmbeddedSupabase extends pulumi.ComponentResource {
  readonly container: docker.Container;

  constructor(name: string, args: EmbeddedSupabaseArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:docker:EmbeddedSupabase', name, {}, opts);
    const { profile } = args.stack;
    const storage = dataVolume(
      `${name}-storage`,
      { stack: args.stack, role: 'supabase', volume: 'supabase-storage', holds: 'the files in the buckets' },
      { parent: this },
    );
    const { container } = new HardenedContainer(
      name,
      {
        stack: args.stack,
        role: 'supabase',
        aliases: ['supabase'],
        image: args.image,
        limits: profile.limits.supabase,
        environment: {
          HOST: '0.0.0.0',
          PORT: '54321',
          DATABASE_HOST: 'postgres',
          DATABASE_PORT: '5432',
          DATABASE_NAME: 'postgres',
          DATABASE_USER: 'postgres',
          DATABASE_PASSWORD_FILE: '/run/secrets/postgres-password',
          JWT_SECRET_FILE: '/run/secrets/jwt-secret',
          PUBLISHABLE_KEY_FILE: '/run/secrets/publishable-key',
          SECRET_KEY_FILE: '/run/secrets/secret-key',
          STORAGE_DIR: '/var/lib/storage',
          SITE_URL: args.siteUrl,
        },
        secrets: {
          'postgres-password': args.databasePassword,
          'jwt-secret': args.keys.jwtSecret,
          'publishable-key': args.keys.publishableKey,
          'secret-key': args.keys.secretKey,
        },
        volumes: [{ volume: storage, path: '/var/lib/storage' }],
        ports: [{ address: '127.0.0.1', port: 54_321, published: args.port }],
        // It prepares the database when it starts: with another PostgreSQL, which may be an empty one, it is another one.
        labels: { 'conversation-kit.database': args.postgres.container.id },
        healthyWithin: 120,
        stopWithin: 10,
      },
      { parent: this, dependsOn: args.postgres },
    );
    this.container = container;
    this.registerOutputs();
  }
}
