import * as pulumi from '@pulumi/pulumi';
import { HardenedContainer } from './hardened-container.ts';
import type { KitImage } from './image.ts';
import type { StackContext } from './stack-context.ts';

export interface RedisCommanderArgs {
  readonly stack: StackContext;
  readonly image: KitImage;
  readonly redisPassword: pulumi.Input<string>;
  /** Loopback port on the box. */
  readonly port: number;
}

/** Redis Commander: a look into Redis for a person on the box. */
export class RedisCommander extends pulumi.ComponentResource {
  readonly url: string;

  constructor(name: string, args: RedisCommanderArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:docker:RedisCommander', name, {}, opts);
    new HardenedContainer(
      name,
      {
        stack: args.stack,
        role: 'redis-commander',
        aliases: ['redis-commander'],
        image: args.image,
        limits: args.stack.profile.limits['redis-commander'],
        secrets: { 'redis-password': args.redisPassword },
        ports: [{ address: '127.0.0.1', port: 8081, published: args.port }],
        healthyWithin: 60,
        stopWithin: 5,
      },
      { parent: this },
    );
    this.url = `http://127.0.0.1:${args.port}`;
    this.registerOutputs({ url: this.url });
  }
}
