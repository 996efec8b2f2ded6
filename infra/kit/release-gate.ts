import * as pulumi from '@pulumi/pulumi';

export interface ReleaseGateArgs {
  /** Name of the release's container. */
  readonly container: pulumi.Input<string>;
  /** Its id: one that is made anew passes anew. */
  readonly containerId: pulumi.Input<string>;
  /** `host:port` of the release, as Caddy knows it. */
  readonly upstream: pulumi.Input<string>;
  /** Name of Caddy's container. */
  readonly edge: pulumi.Input<string>;
}

/**
 * What a release has to pass before it gets a request: it becomes healthy, writes, is restarted, becomes healthy again
 * and finds what it has written. Resource `kit:index:ReleaseGate` of `infra/providers/kit`.
 */
export class ReleaseGate extends pulumi.CustomResource {
  constructor(
    name: string,
    args: ReleaseGateArgs & { dockerHost?: string | undefined },
    opts?: pulumi.CustomResourceOptions,
  ) {
    super('kit:index:ReleaseGate', name, { ...args }, opts);
  }
}
