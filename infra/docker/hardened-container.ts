import * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import type { ContainerLimits, Role } from '../profiles.ts';
import type { KitImage } from './image.ts';
import { labels, type StackContext } from './stack-context.ts';

export interface HardenedContainerArgs {
  readonly stack: StackContext;
  readonly role: Role;
  /** Name on the engine, after the namespace. Default: the role. */
  readonly containerName?: string;
  /** Names in the stack's network. */
  readonly aliases: readonly string[];
  readonly image: KitImage;
  readonly limits: ContainerLimits;
  readonly environment?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Become the files `/run/secrets/<name>`. */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  readonly volumes?: readonly { readonly volume: docker.Volume; readonly path: string }[];
  /** Writable directories that vanish with the container, besides `/tmp`. */
  readonly scratch?: readonly string[];
  /** What is published on the box; `published` is the same port where it is left out. */
  readonly ports?: readonly { readonly address: string; readonly port: number; readonly published?: number }[];
  /** Beside those that every container of the stack has. A change makes another container. */
  readonly labels?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Seconds it may take to become healthy before the update fails. Left out: something else waits for it. */
  readonly healthyWithin?: number;
  /** Seconds between the request to stop and the kill. */
  readonly stopWithin: number;
}

/** Who every process in a container is. Exists in each of our images. */
const user = '10001:10001';

/**
 * A container with nothing it does not need: no root, no capability, no way to gain one, a read-only root file system,
 * a share of the box, secrets as files, a health gate.
 */
export class HardenedContainer extends pulumi.ComponentResource {
  readonly container: docker.Container;

  constructor(name: string, args: HardenedContainerArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:docker:HardenedContainer', name, {}, opts);
    const { namespace } = args.stack;
    const containerName = `${namespace}-${args.containerName ?? args.role}`;
    const secrets = Object.entries(args.secrets ?? {});
    const volumes = (args.volumes ?? []).map(({ volume, path }) => ({ volumeName: volume.name, containerPath: path }));
    if (secrets.length > 0) {
      // Uploads into a read-only root file system are refused unless they land in a volume; a tmpfs does not do.
      const secretFiles = new docker.Volume(
        `${name}-secrets`,
        { name: `${containerName}-secrets`, labels: labels(namespace, args.role) },
        { parent: this },
      );
      volumes.push({ volumeName: secretFiles.name, containerPath: '/run/secrets' });
    }

    this.container = new docker.Container(
      name,
      {
        name: containerName,
        image: args.image.reference,
        user,
        readOnly: true,
        capabilities: { drops: ['ALL'] },
        securityOpts: ['no-new-privileges:true'],
        init: true,
        restart: 'unless-stopped',
        mustRun: true, // the plugin's default, which the official one forgets at a refresh
        memory: args.limits.memory,
        memorySwap: args.limits.memory,
        cpus: String(args.limits.cpus),
        envs: Object.entries(args.environment ?? {}).map(([key, value]) => pulumi.interpolate`${key}=${value}`),
        uploads: secrets.map(([file, content]) => ({
          file: `/run/secrets/${file}`,
          content: pulumi.secret(content),
          permissions: '0444',
        })),
        volumes,
        tmpfs: Object.fromEntries(
          ['/tmp', ...(args.scratch ?? [])].map((path) => [path, 'rw,noexec,nosuid,nodev,size=64m,mode=1777']),
        ),
        ports: (args.ports ?? []).map(({ address, port, published }) => ({
          ip: address,
          internal: port,
          external: published ?? port,
        })),
        networkMode: 'bridge',
        networksAdvanced: [{ name: args.stack.network.name, aliases: [...args.aliases] }],
        // Left to the daemon, these come back as differences in every preview.
        logDriver: 'json-file',
        logOpts: { 'max-file': '3', 'max-size': '10m' },
        labels: [
          ...labels(namespace, args.role),
          ...Object.entries(args.labels ?? {}).map(([label, value]) => ({ label, value })),
        ],
        ...(args.healthyWithin === undefined ? {} : { wait: true, waitTimeout: args.healthyWithin }),
        destroyGraceSeconds: args.stopWithin,
        stopTimeout: args.stopWithin,
      },
      {
        parent: this,
        dependsOn: args.image,
        deleteBeforeReplace: true,
        // The plugin would note a change of these and leave the running container as it is.
        replaceOnChanges: ['init', 'tmpfs'],
      },
    );
    this.registerOutputs({ container: this.container.name });
  }
}
