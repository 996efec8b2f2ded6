import type { z } from 'zod';
import { formatDuration } from '../input-difference.ts';
import { labelList } from '../input-schema.ts';
import type { ContainerInputs } from './inputs.ts';
import type { endpoint, InspectedContainer, throttles } from './inspection.ts';

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
    // A container that must run and does not, or is paused: the next update sees a difference here and lets it run.
    mustRun: inputs.mustRun && State.Running && !State.Paused,
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
    ...ifAsked('networksAdvanced', networksNow(NetworkSettings.Networks, inputs.networksAdvanced ?? [])),
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

function networkDatas(networks: Networks) {
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

type Networks = Record<string, z.output<typeof endpoint>> | null | undefined;
type AskedNetworks = NonNullable<ContainerInputs['networksAdvanced']>;

/** What was asked for as far as it is still so, and the networks that it was connected with by hand. */
function networksNow(networks: Networks, asked: AskedNetworks): AskedNetworks {
  const connected = Object.entries(networks ?? {}).map(([name, { NetworkID, Aliases }]) => ({
    name,
    aliases: Aliases,
    wanted: asked.find((one) => one.name === name || one.name === NetworkID),
  }));
  return connected.map(({ name, aliases, wanted }) =>
    wanted ? { ...wanted, ...reduced(wanted.aliases, aliases) } : { name },
  );
}

/** The engine adds aliases of its own. */
const reduced = (asked: readonly string[] | undefined, now: readonly string[]) =>
  asked === undefined ? {} : { aliases: asked.filter((alias) => now.includes(alias)) };

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
