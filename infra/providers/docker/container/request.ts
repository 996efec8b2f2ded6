import type Docker from 'dockerode';
import { parseDuration } from '../input-difference.ts';
import { labelMap } from '../input-schema.ts';
import type { ContainerInputs } from './inputs.ts';

const megabyte = 1024 * 1024;

/** The request that makes a container of these inputs, without its networks (see `networkRequests`) and uploads. */
export function createRequest(inputs: ContainerInputs): Docker.ContainerCreateOptions {
  const { ports = [], volumes = [] } = inputs;
  const volumePaths = volumes.flatMap(({ containerPath }) => (containerPath ? [containerPath] : []));
  return {
    name: inputs.name,
    Image: inputs.image,
    Hostname: inputs.hostname ?? '',
    Domainname: inputs.domainname ?? '',
    Tty: inputs.tty ?? false,
    OpenStdin: inputs.stdinOpen ?? false,
    Labels: labelMap(inputs.labels),
    ...(inputs.stopSignal ? { StopSignal: inputs.stopSignal } : {}),
    ...(inputs.stopTimeout ? { StopTimeout: inputs.stopTimeout } : {}),
    ...(inputs.envs ? { Env: inputs.envs } : {}),
    ...(inputs.command ? { Cmd: inputs.command } : {}),
    ...(inputs.entrypoints ? { Entrypoint: inputs.entrypoints } : {}),
    ...(inputs.user ? { User: inputs.user } : {}),
    ...(inputs.workingDir ? { WorkingDir: inputs.workingDir } : {}),
    ...(inputs.healthcheck ? { Healthcheck: healthConfig(inputs.healthcheck) } : {}),
    ...(ports.length > 0 ? { ExposedPorts: exposedPorts(ports) } : {}),
    ...(volumePaths.length > 0 ? { Volumes: Object.fromEntries(volumePaths.map((path) => [path, {}])) } : {}),
    HostConfig: hostConfig(inputs),
  };
}

function hostConfig(inputs: ContainerInputs): Docker.HostConfig {
  const { security, masked } = securityOptions(inputs.securityOpts ?? []);
  return {
    Init: inputs.init ?? false,
    Privileged: inputs.privileged ?? false,
    PublishAllPorts: inputs.publishAllPorts ?? false,
    AutoRemove: inputs.rm ?? false,
    ReadonlyRootfs: inputs.readOnly ?? false,
    NetworkMode: inputs.networkMode,
    Runtime: inputs.runtime ?? '',
    LogConfig: { Type: inputs.logDriver ?? '', Config: inputs.logOpts ?? {} },
    PortBindings: portBindings(inputs.ports ?? []),
    ...mountsOf(inputs),
    ...throttles(inputs),
    ...updateRequest(inputs),
    ...(inputs.capabilities
      ? { CapAdd: inputs.capabilities.adds ?? [], CapDrop: inputs.capabilities.drops ?? [] }
      : {}),
    ...(security.length > 0 ? { SecurityOpt: security } : {}),
    ...(masked ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
    ...(inputs.shmSize ? { ShmSize: inputs.shmSize * megabyte } : {}),
    ...(inputs.cpus ? { NanoCpus: Math.round(Number(inputs.cpus) * 1e9) } : {}),
    ...(inputs.dns ? { Dns: inputs.dns } : {}),
    ...(inputs.dnsOpts ? { DnsOptions: inputs.dnsOpts } : {}),
    ...(inputs.dnsSearches ? { DnsSearch: inputs.dnsSearches } : {}),
    ...(inputs.hosts ? { ExtraHosts: inputs.hosts.map(({ host, ip }) => `${host}:${ip}`) } : {}),
    ...(inputs.groupAdds ? { GroupAdd: inputs.groupAdds } : {}),
    ...(inputs.sysctls ? { Sysctls: inputs.sysctls } : {}),
    ...(inputs.storageOpts ? { StorageOpt: inputs.storageOpts } : {}),
    ...(inputs.ipcMode ? { IpcMode: inputs.ipcMode } : {}),
    ...(inputs.pidMode ? { PidMode: inputs.pidMode } : {}),
    ...(inputs.usernsMode ? { UsernsMode: inputs.usernsMode } : {}),
    ...(inputs.cgroupnsMode ? { CgroupnsMode: inputs.cgroupnsMode } : {}),
    ...(inputs.cgroupParent ? { CgroupParent: inputs.cgroupParent } : {}),
    ...(inputs.deviceCgroupRules ? { DeviceCgroupRules: inputs.deviceCgroupRules } : {}),
    ...(inputs.devices ? { Devices: inputs.devices.map(deviceMapping) } : {}),
    ...(inputs.ulimits
      ? { Ulimits: inputs.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })) }
      : {}),
  };
}

/** What the engine also changes in a container that exists. */
export function updateRequest(inputs: ContainerInputs): Docker.HostConfig {
  const swap = inputs.memorySwap ?? 0;
  return {
    RestartPolicy: { Name: inputs.restart, MaximumRetryCount: inputs.maxRetryCount ?? 0 },
    ...(inputs.memory ? { Memory: inputs.memory * megabyte } : {}),
    ...(inputs.memoryReservation ? { MemoryReservation: inputs.memoryReservation * megabyte } : {}),
    ...(swap === 0 ? {} : { MemorySwap: swap > 0 ? swap * megabyte : swap }),
    ...(inputs.cpuShares ? { CpuShares: inputs.cpuShares } : {}),
    ...(inputs.cpuSet ? { CpusetCpus: inputs.cpuSet } : {}),
    ...(!inputs.cpus && inputs.cpuPeriod ? { CpuPeriod: inputs.cpuPeriod } : {}),
    ...(!inputs.cpus && inputs.cpuQuota ? { CpuQuota: inputs.cpuQuota } : {}),
  };
}

function throttles(inputs: ContainerInputs): Docker.HostConfig {
  const devices = (limits: ContainerInputs['deviceReadBps']) =>
    limits?.map(({ path, rate }) => ({ Path: path, Rate: rate })) ?? [];
  return {
    BlkioDeviceReadBps: devices(inputs.deviceReadBps),
    BlkioDeviceReadIOps: devices(inputs.deviceReadIops),
    BlkioDeviceWriteBps: devices(inputs.deviceWriteBps),
    BlkioDeviceWriteIOps: devices(inputs.deviceWriteIops),
  };
}

export interface NetworkConnection {
  readonly network: string;
  readonly endpoint: Docker.EndpointSettings;
}

/** How the container is connected to each network it asks for, after it has left the default one. */
export function networkRequests(inputs: ContainerInputs): NetworkConnection[] {
  return (inputs.networksAdvanced ?? []).map((wanted) => ({
    network: wanted.name,
    endpoint: {
      Aliases: wanted.aliases ?? [],
      IPAMConfig: {
        ...(wanted.ipv4Address ? { IPv4Address: wanted.ipv4Address } : {}),
        ...(wanted.ipv6Address ? { IPv6Address: wanted.ipv6Address } : {}),
        ...(wanted.linkLocalIps ? { LinkLocalIPs: wanted.linkLocalIps } : {}),
      },
      ...(wanted.macAddress ? { MacAddress: wanted.macAddress } : {}),
      ...(wanted.driverOpts ? { DriverOpts: optionMap(wanted.driverOpts) } : {}),
    },
  }));
}

function optionMap(options: readonly string[]): Record<string, string> {
  return Object.fromEntries(options.map((option) => [option.split('=', 1)[0] ?? '', option.replace(/^[^=]*=/, '')]));
}

type Ports = NonNullable<ContainerInputs['ports']>;

const portKey = ({ internal, protocol }: Ports[number]): string => `${internal}/${protocol}`;

const exposedPorts = (ports: Ports) => Object.fromEntries(ports.map((port) => [portKey(port), {}]));

function portBindings(ports: Ports): Docker.PortMap {
  const bindings = Map.groupBy(ports, portKey);
  return Object.fromEntries(
    [...bindings].map(([key, bound]) => [
      key,
      bound.map(({ ip, external }) => ({ HostIp: ip, HostPort: external === undefined ? '' : String(external) })),
    ]),
  );
}

function healthConfig(health: NonNullable<ContainerInputs['healthcheck']>): Docker.HealthConfig {
  const duration = (text: string): number => parseDuration(text) ?? 0;
  return {
    ...(health.tests ? { Test: health.tests } : {}),
    Interval: duration(health.interval),
    Timeout: duration(health.timeout),
    StartPeriod: duration(health.startPeriod),
    ...(duration(health.startInterval) > 0 ? { StartInterval: duration(health.startInterval) } : {}),
    Retries: health.retries ?? 0,
  };
}

type Devices = NonNullable<ContainerInputs['devices']>;

const deviceMapping = ({ hostPath, containerPath, permissions }: Devices[number]) => ({
  PathOnHost: hostPath,
  PathInContainer: containerPath || hostPath,
  CgroupPermissions: permissions,
});

/** `systempaths=unconfined` is not the engine's: the official plugin turns it into two empty lists, as the CLI does. */
function securityOptions(options: readonly string[]): { security: string[]; masked: boolean } {
  const security = options.filter((option) => option !== 'systempaths=unconfined');
  return { security, masked: security.length < options.length };
}

function mountsOf({ volumes = [], mounts = [], tmpfs }: ContainerInputs): Docker.HostConfig {
  const binds = volumes.flatMap(({ containerPath, hostPath, volumeName, readOnly, selinuxRelabel }) => {
    const source = hostPath || volumeName;
    if (!source || !containerPath) return [];
    return [[source, containerPath, [readOnly ? 'ro' : 'rw', selinuxRelabel].filter(Boolean).join(',')].join(':')];
  });
  const from = volumes.flatMap(({ fromContainer }) => (fromContainer ? [fromContainer] : []));
  return {
    ...(binds.length > 0 ? { Binds: binds } : {}),
    ...(from.length > 0 ? { VolumesFrom: from } : {}),
    ...(tmpfs ? { Tmpfs: tmpfs } : {}),
    ...(mounts.length > 0 ? { Mounts: mounts.map(mountSettings) } : {}),
  };
}

function mountSettings(mount: NonNullable<ContainerInputs['mounts']>[number]): Docker.MountSettings {
  const { bindOptions, volumeOptions, tmpfsOptions } = mount;
  return {
    Type: mount.type,
    Target: mount.target,
    Source: mount.source ?? '',
    ReadOnly: mount.readOnly ?? false,
    ...(mount.type === 'bind' && bindOptions?.propagation
      ? { BindOptions: { Propagation: bindOptions.propagation } }
      : {}),
    ...(mount.type === 'volume' && volumeOptions
      ? {
          VolumeOptions: {
            NoCopy: volumeOptions.noCopy ?? false,
            Labels: labelMap(volumeOptions.labels),
            DriverConfig: { Name: volumeOptions.driverName ?? '', Options: volumeOptions.driverOptions ?? {} },
          },
        }
      : {}),
    ...(mount.type === 'tmpfs' && tmpfsOptions
      ? { TmpfsOptions: { SizeBytes: tmpfsOptions.sizeBytes ?? 0, Mode: tmpfsOptions.mode ?? 0 } }
      : {}),
  };
}
