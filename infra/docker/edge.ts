import * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import { dataVolume } from './data-volume.ts';
import { HardenedContainer } from './hardened-container.ts';
import type { KitImage } from './image.ts';
import { labels, type StackContext } from './stack-context.ts';

export interface EdgeArgs {
  readonly stack: StackContext;
  readonly image: KitImage;
  readonly bindAddress: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly siteAddress: string;
  /** Set: certificates over ACME with this contact; left out: from Caddy's own CA. */
  readonly acmeEmail: string | undefined;
}

/** Caddy: the one way in. Which release it serves is said by a file in its `live` volume. */
export class Edge extends pulumi.ComponentResource {
  readonly url: string;
  readonly container: docker.Container;

  constructor(name: string, args: EdgeArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:docker:Edge', name, {}, opts);
    const { namespace, profile } = args.stack;
    const volume = (what: string) =>
      new docker.Volume(
        `${name}-${what}`,
        { name: `${namespace}-caddy-${what}`, labels: labels(namespace, 'caddy') },
        { parent: this, protect: true },
      );
    const data = dataVolume(
      `${name}-data`,
      { stack: args.stack, role: 'caddy', volume: 'caddy-data', holds: 'Caddy: its authority and certificates' },
      { parent: this },
    );
    const { container } = new HardenedContainer(
      name,
      {
        stack: args.stack,
        role: 'caddy',
        aliases: ['caddy'],
        image: args.image,
        limits: profile.limits.caddy,
        environment: {
          HTTP_PORT: String(args.httpPort),
          HTTPS_PORT: String(args.httpsPort),
          SITE_ADDRESS: args.siteAddress,
          TLS: args.acmeEmail ?? 'internal',
        },
        volumes: [
          { volume: data, path: '/data' },
          { volume: volume('config'), path: '/config' },
          { volume: volume('live'), path: '/etc/caddy/live' },
        ],
        scratch: ['/run/caddy'],
        // Inside, Caddy listens on the published numbers: its redirects to HTTPS name them.
        ports: [
          { address: args.bindAddress, port: args.httpPort },
          { address: args.bindAddress, port: args.httpsPort },
        ],
        healthyWithin: 60,
        stopWithin: 30,
      },
      { parent: this },
    );
    this.url = `https://${args.siteAddress}${args.httpsPort === 443 ? '' : `:${args.httpsPort}`}`;
    this.container = container;
    this.registerOutputs({ url: this.url });
  }
}
