import type Docker from 'dockerode';
import { z } from 'zod';
import { engineFind } from '../engine-request.ts';
import { formatDuration } from '../input-difference.ts';
import { labelList, textMap } from '../input-schema.ts';
import type { ContainerInputs } from './inputs.ts';

const word = z
  .string()
  .nullish()
  .transform((text) => text ?? '');
const list = z
  .array(z.string())
  .nullish()
  .transform((texts) => texts ?? []);
const map = textMap.nullish().transform((texts) => texts ?? {});
const size = z
  .number()
  .nullish()
  .transform((bytes) => bytes ?? 0);
const throttles = z.array(z.object({ Path: z.string(), Rate: z.number() })).nullish();

const endpoint = z.object({
  IPAddress: word,
  IPPrefixLen: size,
  Gateway: word,
  GlobalIPv6Address: word,
  GlobalIPv6PrefixLen: size,
  IPv6Gateway: word,
  MacAddress: word,
});

/** What is used of the engine's description of a container. */
export const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Image: z.string(),
  State: z.object({
    Status: z.string(),
    Running: z.boolean(),
    ExitCode: z.number(),
    Error: z.string().optional(),
    Health: z
      .object({
        Status: z.string(),
        Log: z.array(z.object({ ExitCode: z.number(), Output: z.string() })).nullish(),
      })
      .nullish(),
  }),
  Config: z.object({
    Image: word,
    Hostname: word,
    Domainname: word,
    User: word,
    Tty: z.boolean(),
    OpenStdin: z.boolean(),
    WorkingDir: word,
    Cmd: list,
    Entrypoint: list,
    Labels: map,
    StopSignal: word,
    StopTimeout: z.number().nullish(),
    Healthcheck: z
      .object({
        Test: list,
        Interval: size,
        Timeout: size,
        StartPeriod: size,
        StartInterval: size,
        Retries: size,
      })
      .nullish(),
  }),
  HostConfig: z.object({
    AutoRemove: z.boolean(),
    Privileged: z.boolean(),
    PublishAllPorts: z.boolean(),
    ReadonlyRootfs: z.boolean(),
    Init: z.boolean().nullish(),
    NetworkMode: word,
    IpcMode: word,
    PidMode: word,
    UsernsMode: word,
    Runtime: word,
    RestartPolicy: z.object({ Name: z.string(), MaximumRetryCount: z.number() }),
    LogConfig: z.object({ Type: z.string(), Config: map }),
    PortBindings: z
      .record(
        z.string(),
        z.array(z.object({ HostIp: z.string().optional(), HostPort: z.string().optional() })).nullish(),
      )
      .nullish(),
    CapAdd: list,
    CapDrop: list,
    SecurityOpt: list,
    Dns: list,
    DnsOptions: list,
    DnsSearch: list,
    ExtraHosts: list,
    GroupAdd: list,
    Sysctls: map,
    StorageOpt: map,
    Tmpfs: map,
    Mounts: z
      .array(
        z.object({
          Type: z.string(),
          Source: z.string().optional(),
          Target: z.string(),
          ReadOnly: z.boolean().optional(),
          BindOptions: z.object({ Propagation: z.string().optional() }).nullish(),
          VolumeOptions: z
            .object({
              NoCopy: z.boolean().optional(),
              Labels: map,
              DriverConfig: z.object({ Name: z.string().optional(), Options: map }).nullish(),
            })
            .nullish(),
          TmpfsOptions: z.object({ SizeBytes: size, Mode: size }).nullish(),
        }),
      )
      .nullish(),
    Ulimits: z.array(z.object({ Name: z.string(), Soft: z.number(), Hard: z.number() })).nullish(),
    Memory: size,
    MemoryReservation: size,
    MemorySwap: size,
    ShmSize: size,
    NanoCpus: size,
    CpuShares: size,
    CpusetCpus: word,
    BlkioDeviceReadBps: throttles,
    BlkioDeviceReadIOps: throttles,
    BlkioDeviceWriteBps: throttles,
    BlkioDeviceWriteIOps: throttles,
  }),
  NetworkSettings: z.object({
    Bridge: word,
    Ports: z.record(z.string(), z.array(z.object({ HostIp: z.string(), HostPort: z.string() })).nullish()).nullish(),
    Networks: z.record(z.string(), endpoint).nullish(),
  }),
});
export type InspectedContainer = z.output<typeof inspected>;

export function inspectContainer(docker: Docker, id: string, signal: AbortSignal) {
  return engineFind(docker, `/containers/${encodeURIComponent(id)}/json`, inspected, signal);
}

export type ContainerOutputs = { readonly id: string; readonly name: string; readonly mustRun: boolean } & Record<
  string,
  unknown
>;

/**
 * The state of a container as the official plugin keeps it: what the engine says where that plugin asks the engine, what
 * the program said where it does not (environment, labels, volumes, networks, uploads and what is about the plugin).
 */
export function containerOutputs(found: InspectedContainer, inputs: ContainerInputs): ContainerOutputs {
  const { Config, HostConfig, State, NetworkSettings } = found;
  const ifAsked = (name: keyof ContainerInputs, value: unknown) =>
    inputs[name] === undefined ? {} : { [name]: value };
  return {
    ...asTheProgramSaid(inputs),
    id: found.Id,
    name: found.Name.replace(/^\//, ''),
    // An image given by its id is compared with the image, one given by its name with the name.
    image: inputs.image.startsWith('sha256:') ? found.Image : Config.Image,
    // A stopped container that must run: the next update sees a difference here and starts it.
    mustRun: inputs.mustRun && State.Running,
    ...(State.Running ? {} : { exitCode: State.ExitCode }),
    bridge: NetworkSettings.Bridge,
    networkDatas: networkDatas(NetworkSettings.Networks),
    ...ifAsked('ports', portsOf(found)),
    command: Config.Cmd,
    domainname: Config.Domainname,
    entrypoints: Config.Entrypoint,
    hostname: Config.Hostname,
    stdinOpen: Config.OpenStdin,
    stopSignal: Config.StopSignal,
    stopTimeout: Config.StopTimeout ?? 0,
    tty: Config.Tty,
    user: Config.User,
    workingDir: Config.WorkingDir,
    ...(Config.Healthcheck ? { healthcheck: healthcheckOf(Config.Healthcheck) } : {}),
    ...(HostConfig.CapAdd.length + HostConfig.CapDrop.length > 0
      ? { capabilities: { adds: HostConfig.CapAdd, drops: HostConfig.CapDrop } }
      : {}),
    cpuSet: HostConfig.CpusetCpus,
    cpuShares: HostConfig.CpuShares,
    ...(HostConfig.NanoCpus > 0 ? { cpus: String(HostConfig.NanoCpus / 1e9) } : {}),
    deviceReadBps: throttlesOf(HostConfig.BlkioDeviceReadBps),
    deviceReadIops: throttlesOf(HostConfig.BlkioDeviceReadIOps),
    deviceWriteBps: throttlesOf(HostConfig.BlkioDeviceWriteBps),
    deviceWriteIops: throttlesOf(HostConfig.BlkioDeviceWriteIOps),
    dns: HostConfig.Dns,
    dnsOpts: HostConfig.DnsOptions,
    dnsSearches: HostConfig.DnsSearch,
    groupAdds: HostConfig.GroupAdd,
    hosts: HostConfig.ExtraHosts.map(extraHost),
    init: HostConfig.Init ?? false,
    ipcMode: HostConfig.IpcMode,
    logDriver: HostConfig.LogConfig.Type,
    ...ifAsked('logOpts', HostConfig.LogConfig.Config),
    maxRetryCount: HostConfig.RestartPolicy.MaximumRetryCount,
    memory: megabytes(HostConfig.Memory),
    memoryReservation: megabytes(HostConfig.MemoryReservation),
    memorySwap: HostConfig.MemorySwap > 0 ? megabytes(HostConfig.MemorySwap) : HostConfig.MemorySwap,
    mounts: (HostConfig.Mounts ?? []).map(mountOf),
    networkMode: HostConfig.NetworkMode,
    ...ifAsked('pidMode', HostConfig.PidMode),
    privileged: HostConfig.Privileged,
    publishAllPorts: HostConfig.PublishAllPorts,
    readOnly: HostConfig.ReadonlyRootfs,
    restart: HostConfig.RestartPolicy.Name,
    rm: HostConfig.AutoRemove,
    runtime: HostConfig.Runtime,
    securityOpts: HostConfig.SecurityOpt,
    shmSize: megabytes(HostConfig.ShmSize),
    storageOpts: HostConfig.StorageOpt,
    sysctls: HostConfig.Sysctls,
    tmpfs: HostConfig.Tmpfs,
    ...ifAsked(
      'ulimits',
      (HostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    ),
    usernsMode: HostConfig.UsernsMode,
  };
}

/** Not asked of the engine: an image's own environment and labels could not be told from the program's. */
function asTheProgramSaid(inputs: ContainerInputs): Record<string, unknown> {
  return { envs: [], labels: [], attach: false, logs: false, wait: false, ...inputs };
}

const megabytes = (bytes: number): number => Math.trunc(bytes / 1024 / 1024);

const throttlesOf = (limits: z.output<typeof throttles>) =>
  (limits ?? []).map(({ Path, Rate }) => ({ path: Path, rate: Rate }));

function extraHost(line: string): { host: string; ip: string } {
  const end = line.indexOf(':');
  return { host: line.slice(0, end), ip: line.slice(end + 1) };
}

function networkDatas(networks: Record<string, z.output<typeof endpoint>> | null | undefined) {
  return Object.entries(networks ?? {}).map(([networkName, data]) => ({
    networkName,
    ipAddress: data.IPAddress,
    ipPrefixLength: data.IPPrefixLen,
    gateway: data.Gateway,
    globalIpv6Address: data.GlobalIPv6Address,
    globalIpv6PrefixLength: data.GlobalIPv6PrefixLen,
    ipv6Gateway: data.IPv6Gateway,
    macAddress: data.MacAddress,
  }));
}

/** A stopped container has no ports: what it will get is said by its settings. */
function portsOf({ State, NetworkSettings, HostConfig }: InspectedContainer) {
  const bound = (State.Running ? NetworkSettings.Ports : undefined) ?? HostConfig.PortBindings ?? {};
  const ports = Object.entries(bound).flatMap(([key, bindings]) => {
    const [internal = '', protocol = 'tcp'] = key.split('/');
    return (bindings ?? []).map(({ HostIp, HostPort }) => ({
      internal: Number(internal),
      external: Number(HostPort ?? 0),
      ip: HostIp || '0.0.0.0',
      protocol,
    }));
  });
  return ports.sort((a, b) => a.internal - b.internal);
}

function healthcheckOf(health: NonNullable<InspectedContainer['Config']['Healthcheck']>) {
  return {
    tests: health.Test,
    interval: formatDuration(health.Interval),
    timeout: formatDuration(health.Timeout),
    startPeriod: formatDuration(health.StartPeriod),
    startInterval: formatDuration(health.StartInterval),
    retries: health.Retries,
  };
}

function mountOf(mount: NonNullable<InspectedContainer['HostConfig']['Mounts']>[number]) {
  const { BindOptions, VolumeOptions, TmpfsOptions } = mount;
  return {
    type: mount.Type,
    source: mount.Source ?? '',
    target: mount.Target,
    readOnly: mount.ReadOnly ?? false,
    ...(BindOptions ? { bindOptions: { propagation: BindOptions.Propagation ?? '' } } : {}),
    ...(VolumeOptions
      ? {
          volumeOptions: {
            noCopy: VolumeOptions.NoCopy ?? false,
            labels: labelList(VolumeOptions.Labels),
            driverName: VolumeOptions.DriverConfig?.Name ?? '',
            driverOptions: VolumeOptions.DriverConfig?.Options ?? {},
          },
        }
      : {}),
    ...(TmpfsOptions ? { tmpfsOptions: { sizeBytes: TmpfsOptions.SizeBytes, mode: TmpfsOptions.Mode } } : {}),
  };
}
