import type * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import { dataVolume } from './data-volume.ts';
import { HardenedContainer } from './hardened-container.ts';
import type { KitImage } from './image.ts';
import type { StackContext } from './stack-context.ts';

export interface PostgresArgs {
  readonly stack: StackContext;
  readonly image: KitImage;
  readonly password: pulumi.Input<string>;
  /** Loopback port on the box: the migrations come in through it. */
  readonly port: number;
}

/** PostgreSQL under the embedded Supabase. */
export class Postgres extends pulumi.ComponentResource {
  readonly container: docker.Container;

  constructor(name: string, args: PostgresArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:docker:Postgres', name, {}, opts);
    const { profile } = args.stack;
    const data = dataVolume(
      `${name}-data`,
      { stack: args.stack, role: 'postgres', volume: 'postgres-data', holds: 'PostgreSQL' },
      { parent: this },
    );
    const { container } = new HardenedContainer(
      name,
      {
        stack: args.stack,
        role: 'postgres',
        aliases: ['postgres'],
        image: args.image,
        limits: profile.limits.postgres,
        secrets: { 'postgres-password': args.password },
        volumes: [{ volume: data, path: '/var/lib/postgresql/data' }],
        scratch: ['/run/postgresql'],
        ports: [{ address: '127.0.0.1', port: 5432, published: args.port }],
        healthyWithin: 120,
        stopWithin: 60,
      },
      { parent: this },
    );
    this.container = container;
    this.registerOutputs();
  }
}
