import type Docker from 'dockerode';
import { z } from 'zod';
import type { ResourceDefinition } from '../plugin/resource.ts';
import { type DockerConfig, type DockerContext, engineOf } from './config.ts';
import { driftedInputs } from './drift.ts';
import { EngineRefusal, isConflict } from './engine-error.ts';
import { engineFind } from './engine-request.ts';
import { type Comparison, inputDifferences } from './input-difference.ts';
import { flag, label, labelList, labelMap, mapPaths, text, textMap } from './input-schema.ts';
import { namedByProgram, withName, withNotes } from './recorded-inputs.ts';
import { removeWhenUnused } from './removal.ts';

const ipamConfig = z.strictObject({
  subnet: text.optional(),
  ipRange: text.optional(),
  gateway: text.optional(),
  auxAddress: textMap.optional(),
});

export const networkInputs = z.strictObject({
  name: text.min(1, 'must not be empty'),
  attachable: flag.optional(),
  driver: text.optional(),
  ingress: flag.optional(),
  internal: flag.optional(),
  ipamConfigs: z.array(ipamConfig).optional(),
  ipamDriver: text.default('default'),
  ipamOptions: textMap.optional(),
  ipv6: flag.optional(),
  labels: z.array(label).optional(),
  options: textMap.optional(),
});
export type NetworkInputs = z.output<typeof networkInputs>;
export type NetworkOutputs = NetworkInputs & { id: string; scope: string };

const comparison: Comparison = {
  replaceOnChanges: Object.keys(networkInputs.shape),
  ordered: [],
  maps: mapPaths(networkInputs),
};

const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Driver: z.string(),
  Scope: z.string(),
  Internal: z.boolean(),
  Attachable: z.boolean(),
  Ingress: z.boolean(),
  EnableIPv6: z.boolean(),
  Labels: textMap.nullish(),
  Options: textMap.nullish(),
  Containers: z.record(z.string(), z.object({ Name: z.string().optional() })).nullish(),
  IPAM: z.object({
    Driver: z.string(),
    Options: textMap.nullish(),
    Config: z
      .array(
        z.object({
          Subnet: z.string().optional(),
          IPRange: z.string().optional(),
          Gateway: z.string().optional(),
          AuxiliaryAddresses: textMap.optional(),
        }),
      )
      .nullish(),
  }),
});
type InspectedNetwork = z.output<typeof inspected>;

/** `docker:index/network:Network`: nothing of it can be changed in place. */
export const network: ResourceDefinition<NetworkInputs, NetworkOutputs, DockerConfig> = {
  token: 'docker:index/network:Network',
  inputs: networkInputs,
  replaceOnChanges: networkInputs.keyof().options,
  deleteBeforeReplace: namedByProgram,
  defaults: withName,
  diffsUnknowns: true,
  recorded: (values, given) => withNotes(networkInputs, values, given),
  diff: async (old, news) => inputDifferences(old.inputs, news, comparison, withIpamDriver),
  create: async (inputs, context) => {
    const docker = await engineOf(context);
    const id = await createOrAdopt(docker, inputs, context);
    const made = await inspectNetwork(docker, id, context.signal);
    if (!made) throw new Error(`the network ${inputs.name} was removed while it was being made`);
    return { id, outputs: networkOutputs(made) };
  },
  read: async (id, state, context) => {
    const found = await inspectNetwork(await engineOf(context), id, context.signal);
    if (!found) return undefined;
    const outputs = networkOutputs(found);
    return { id: found.Id, outputs, inputs: inputsNow(state.inputs, outputs) };
  },
  delete: async (id, outputs, context) => {
    const docker = await engineOf(context);
    const abortSignal = context.signal;
    await removeWhenUnused(
      () => docker.getNetwork(id).remove({ abortSignal }),
      /active endpoints/,
      async () => {
        const users = Object.values((await inspectNetwork(docker, id, abortSignal))?.Containers ?? {});
        return `the network ${outputs.name} can't be removed: ${users.map(({ Name }) => Name).join(', ')} still use it. Remove them first (docker rm -f)`;
      },
      abortSignal,
    );
  },
};

function inputsNow(stored: NetworkInputs | undefined, outputs: NetworkOutputs): NetworkInputs {
  return driftedInputs(networkInputs, stored, asFarAsAskedFor(outputs, stored?.ipamConfigs), comparison);
}

/** The engine fills in what an address range was asked for without, such as its gateway: no drift. */
function asFarAsAskedFor(outputs: NetworkOutputs, asked: NetworkInputs['ipamConfigs']): NetworkOutputs {
  if (!asked) return outputs;
  const ipamConfigs = (outputs.ipamConfigs ?? []).map((config) => {
    const wanted = asked.find(({ subnet, gateway }) => subnet === config.subnet || gateway === config.gateway);
    return wanted ? Object.fromEntries(Object.entries(config).filter(([key]) => Object.hasOwn(wanted, key))) : config;
  });
  return { ...outputs, ipamConfigs };
}

const withIpamDriver = (inputs: object): object => ({ ipamDriver: 'default', ...inputs });

export function networkRequest(inputs: NetworkInputs): Docker.NetworkCreateOptions {
  return {
    Name: inputs.name,
    CheckDuplicate: true,
    Driver: inputs.driver ?? '',
    Internal: inputs.internal ?? false,
    Attachable: inputs.attachable ?? false,
    Ingress: inputs.ingress ?? false,
    EnableIPv6: inputs.ipv6 ?? false,
    Labels: labelMap(inputs.labels),
    Options: inputs.options ?? {},
    IPAM: {
      Driver: inputs.ipamDriver,
      Options: inputs.ipamOptions ?? {},
      Config: (inputs.ipamConfigs ?? []).map(({ subnet, ipRange, gateway, auxAddress }) => ({
        ...(subnet ? { Subnet: subnet } : {}),
        ...(ipRange ? { IPRange: ipRange } : {}),
        ...(gateway ? { Gateway: gateway } : {}),
        ...(auxAddress ? { AuxiliaryAddresses: auxAddress } : {}),
      })),
    },
  };
}

export function networkOutputs(found: InspectedNetwork): NetworkOutputs {
  return {
    id: found.Id,
    name: found.Name,
    attachable: found.Attachable,
    driver: found.Driver,
    ingress: found.Ingress,
    internal: found.Internal,
    ipamConfigs: (found.IPAM.Config ?? []).map(({ Subnet, IPRange, Gateway, AuxiliaryAddresses }) => ({
      ...(Subnet ? { subnet: Subnet } : {}),
      ...(IPRange ? { ipRange: IPRange } : {}),
      ...(Gateway ? { gateway: Gateway } : {}),
      ...(AuxiliaryAddresses ? { auxAddress: AuxiliaryAddresses } : {}),
    })),
    ipamDriver: found.IPAM.Driver,
    ipamOptions: found.IPAM.Options ?? {},
    ipv6: found.EnableIPv6,
    labels: labelList(found.Labels),
    options: found.Options ?? {},
    scope: found.Scope,
  };
}

function inspectNetwork(docker: Docker, id: string, signal: AbortSignal) {
  return engineFind(docker, `/networks/${encodeURIComponent(id)}`, inspected, signal);
}

/**
 * An update that was killed may have made the network without writing it down. Such a one is taken over when it has the
 * labels and settings asked for, and at least one label; any other with the name is someone else's.
 */
async function createOrAdopt(docker: Docker, inputs: NetworkInputs, { signal, warn }: DockerContext): Promise<string> {
  try {
    const { id } = await docker.createNetwork({ ...networkRequest(inputs), abortSignal: signal });
    return id;
  } catch (error) {
    if (!isConflict(error) && !(error instanceof EngineRefusal && error.message.includes('already exists')))
      throw error;
    const found = await inspectNetwork(docker, inputs.name, signal);
    if (found && (inputs.labels ?? []).length > 0 && isAsAskedFor(found, inputs)) {
      warn(`took over the network ${inputs.name}, which an interrupted update had left behind`);
      return found.Id;
    }
    throw new Error(
      `there is a network ${inputs.name} already, and it is not this stack's. Remove it (docker network rm ${inputs.name}), or choose another name`,
      { cause: error },
    );
  }
}

function isAsAskedFor(found: InspectedNetwork, inputs: NetworkInputs): boolean {
  const outputs = asFarAsAskedFor(networkOutputs(found), inputs.ipamConfigs);
  const there = Object.fromEntries(Object.entries(outputs).filter(([name]) => Object.hasOwn(inputs, name)));
  return inputDifferences(there, inputs, comparison, withIpamDriver).length === 0;
}
