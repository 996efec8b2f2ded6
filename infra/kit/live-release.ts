import * as pulumi from '@pulumi/pulumi';

export interface LiveReleaseArgs {
  /** Name of Caddy's container. */
  readonly edge: pulumi.Input<string>;
  /** `host:port` of the release that gets the traffic. */
  readonly upstream: pulumi.Input<string>;
}

/**
 * Points Caddy at exactly one release, one that answers, without closing a connection; kept over a restart of Caddy.
 * Resource `kit:index:LiveRelease` of `infra/providers/kit`.
 */
export class LiveRelease extends pulumi.CustomResource {
  constructor(
    name: string,
    args: LiveReleaseArgs & { dockerHost?: string | undefined },
    opts?: pulumi.CustomResourceOptions,
  ) {
    super('kit:index:LiveRelease', name, { ...args }, opts);
  }
}
