import type Docker from 'dockerode';
import { z } from 'zod';
import type { ResourceDefinition } from '../plugin/resource.ts';
import { type DockerConfig, engineOf } from './config.ts';
import { driftedInputs } from './drift.ts';
import { engineFind } from './engine-request.ts';
import { type Comparison, inputDifferences } from './input-difference.ts';
import { label, labelList, labelMap, mapPaths, notImplemented, text, textMap } from './input-schema.ts';
import { namedByProgram, withName, withNotes } from './recorded-inputs.ts';
import { removeWhenUnused } from './removal.ts';

export const volumeInputs = z.strictObject({
  name: text.min(1, 'must not be empty'),
  driver: text.optional(),
  driverOpts: textMap.optional(),
  labels: z.array(label).optional(),
  cluster: notImplemented('volumes of a swarm'),
});
export type VolumeInputs = z.output<typeof volumeInputs>;
export type VolumeOutputs = VolumeInputs & { id: string; mountpoint: string };

const comparison: Comparison = {
  replaceOnChanges: ['driver', 'driverOpts', 'labels', 'name'],
  ordered: [],
  maps: mapPaths(volumeInputs),
};

const inspected = z.object({
  Name: z.string(),
  Driver: z.string(),
  Mountpoint: z.string(),
  Labels: textMap.nullish(),
  Options: textMap.nullish(),
});
type InspectedVolume = z.output<typeof inspected>;

/** `docker:index/volume:Volume`: its id is its name, and one that is there already is used as it is. */
export const volume: ResourceDefinition<VolumeInputs, VolumeOutputs, DockerConfig> = {
  token: 'docker:index/volume:Volume',
  inputs: volumeInputs,
  replaceOnChanges: ['driver', 'driverOpts', 'labels', 'name'],
  deleteBeforeReplace: namedByProgram,
  defaults: withName,
  diffsUnknowns: true,
  recorded: (values, given) => withNotes(volumeInputs, values, given),
  diff: async (old, news) => inputDifferences(old.inputs, news, comparison),
  create: async (inputs, context) => {
    const docker = await engineOf(context);
    const before = await inspectVolume(docker, inputs.name, context.signal);
    if (before && !isAsAskedFor(before, inputs))
      context.warn(
        `the volume ${inputs.name} was there before, with other labels or options: it is used as it is, with its data`,
      );
    await docker.createVolume({ ...volumeRequest(inputs), abortSignal: context.signal });
    const made = await inspectVolume(docker, inputs.name, context.signal);
    if (!made) throw new Error(`the volume ${inputs.name} was removed while it was being made`);
    return { id: made.Name, outputs: volumeOutputs(made) };
  },
  read: async (id, state, context) => {
    const found = await inspectVolume(await engineOf(context), id, context.signal);
    if (!found) return undefined;
    const outputs = volumeOutputs(found);
    return { id, outputs, inputs: driftedInputs(volumeInputs, state.inputs, outputs, comparison) };
  },
  delete: async (id, _outputs, context) => {
    const docker = await engineOf(context);
    const abortSignal = context.signal;
    await removeWhenUnused(
      () => docker.getVolume(id).remove({ abortSignal }),
      /volume is in use/,
      async () =>
        `the volume ${id} is in use by a container that this stack does not remove. See which (docker ps -a --filter volume=${id}) and remove it first`,
      abortSignal,
    );
  },
};

export function volumeRequest(inputs: VolumeInputs): Docker.VolumeCreateOptions {
  return {
    Name: inputs.name,
    ...(inputs.driver ? { Driver: inputs.driver } : {}),
    DriverOpts: inputs.driverOpts ?? {},
    Labels: labelMap(inputs.labels),
  };
}

export function volumeOutputs(found: InspectedVolume): VolumeOutputs {
  return {
    id: found.Name,
    name: found.Name,
    driver: found.Driver,
    driverOpts: found.Options ?? {},
    labels: labelList(found.Labels),
    mountpoint: found.Mountpoint,
  };
}

function isAsAskedFor(found: InspectedVolume, inputs: VolumeInputs): boolean {
  const outputs = volumeOutputs(found);
  const asked = { driver: outputs.driver, ...inputs };
  return (
    inputDifferences(
      { name: outputs.name, driver: outputs.driver, driverOpts: outputs.driverOpts, labels: outputs.labels },
      asked,
      comparison,
    ).length === 0
  );
}

function inspectVolume(docker: Docker, name: string, signal: AbortSignal) {
  return engineFind(docker, `/volumes/${encodeURIComponent(name)}`, inspected, signal);
}
