import * as pulumi from '@pulumi/pulumi';

export interface DataVolumeArgs {
  /** Name of the volume on the engine. */
  readonly volume: string;
  /** Whose data is in it, for people. */
  readonly holds: string;
  /** Of the volume, where it has to be made. */
  readonly labels: Readonly<Record<string, string>>;
  readonly dockerHost?: string | undefined;
}

/**
 * Sees to it that a volume with data that is gone is never silently made anew, empty. Resource `kit:index:DataVolume` of
 * `infra/providers/kit`.
 */
export class DataVolume extends pulumi.CustomResource {
  constructor(name: string, args: DataVolumeArgs, opts: pulumi.CustomResourceOptions = {}) {
    // Protected as the volume is: taking the stack down keeps the data, and what is known of it.
    super('kit:index:DataVolume', name, { ...args }, { protect: true, ...opts });
  }
}
