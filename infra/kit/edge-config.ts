import * as pulumi from '@pulumi/pulumi';

export interface EdgeConfigArgs {
  /** Name of Caddy's container. */
  readonly edge: pulumi.Input<string>;
  readonly dockerHost?: string | undefined;
}

/** Sees to it that Caddy runs what its Caddyfile says. Resource `kit:index:EdgeConfig` of `infra/providers/kit`. */
export class EdgeConfig extends pulumi.CustomResource {
  constructor(name: string, args: EdgeConfigArgs, opts?: pulumi.CustomResourceOptions) {
    super('kit:index:EdgeConfig', name, { changedByHand: [], ...args }, opts);
  }
}
