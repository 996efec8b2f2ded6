import * as docker from '@pulumi/docker';
import type * as pulumi from '@pulumi/pulumi';
import { DataVolume } from '../kit/data-volume.ts';
import type { Role } from '../profiles.ts';
import { labels, type StackContext } from './stack-context.ts';

export interface DataVolumeArgs {
  readonly stack: StackContext;
  readonly role: Role;
  /** Name on the engine, after the namespace. */
  readonly volume: string;
  /** Whose data is in it, for people. */
  readonly holds: string;
}

/** A volume that outlives the stack, and is missed when it is gone. */
export function dataVolume(name: string, args: DataVolumeArgs, opts: pulumi.CustomResourceOptions = {}): docker.Volume {
  const { namespace, dockerHost } = args.stack;
  const volume = `${namespace}-${args.volume}`;
  const own = labels(namespace, args.role);
  const { provider: _, ...withoutProvider } = opts;
  const known = new DataVolume(
    name,
    {
      volume,
      holds: args.holds,
      labels: Object.fromEntries(own.map(({ label, value }) => [label, value])),
      dockerHost,
    },
    withoutProvider,
  );
  return new docker.Volume(
    name,
    { name: volume, labels: own },
    // One that was restored by hand may have others: never a reason to make the volume anew.
    { ...opts, protect: true, dependsOn: known, ignoreChanges: ['labels'] },
  );
}
