import type * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import { redisLimit } from '../profiles.ts';
import { dataVolume } from './data-volume.ts';
import { HardenedContainer } from './hardened-container.ts';
import type { KitImage } from './image.ts';
import type { StackContext } from './stack-context.ts';

export interface RedisArgs {
  readonly stack: StackContext;
  readonly image: KitImage;
  readonly password: pulumi.Input<string>;
}

/** Redis with its data volume; reachable inside the stack's network only. */
export class Redis extends pulumi.ComponentResource {
  readonly url = 'redis://redis:6379';
  readonly container: docker.Container;

  constructor(name: string, args: RedisArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:docker:Redis', name, {}, opts);
    const { profile } = args.stack;
    const data = dataVolume(
      `${name}-data`,
      { stack: args.stack, role: 'redis', volume: 'redis-data', holds: 'Redis' },
      { parent: this },
    );
    const { container } = new HardenedContainer(
      name,
      {
        stack: args.stack,
        role: 'redis',
        aliases: ['redis'],
        image: args.image,
        limits: redisLimit(profile),
        environment: { REDIS_MAXMEMORY: `${profile.redisMaxMemory}mb` },
        secrets: { 'redis-password': args.password },
        volumes: [{ volume: data, path: '/data' }],
        healthyWithin: 120,
        stopWithin: 30,
      },
      { parent: this },
    );
    this.container = container;
    this.registerOutputs({ url: this.url });
  }
}
