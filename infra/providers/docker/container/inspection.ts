import type Docker from 'dockerode';
import { z } from 'zod';
import { engineFind } from '../engine-request.ts';
import { textMap } from '../input-schema.ts';

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
export const throttles = z.array(z.object({ Path: z.string(), Rate: z.number() })).nullish();

export const endpoint = z.object({
  IPAddress: word,
  IPPrefixLen: size,
  Gateway: word,
  GlobalIPv6Address: word,
  GlobalIPv6PrefixLen: size,
  IPv6Gateway: word,
  MacAddress: word,
  NetworkID: word,
  Aliases: list,
});

/** What is used of the engine's description of a container. */
export const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Image: z.string(),
  State: z.object({
    Status: z.string(),
    Running: z.boolean(),
    Paused: z.boolean().default(false),
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

/** Undefined: there is none. */
export async function inspectContainer(docker: Docker, id: string, signal: AbortSignal) {
  const found = await engineFind(docker, `/containers/${encodeURIComponent(id)}/json`, inspected, signal);
  return found && !found.State.Running ? withoutLostNetworks(docker, found, signal) : found;
}

/** A stopped container still names networks that were removed meanwhile; it could not be started with them. */
async function withoutLostNetworks(docker: Docker, found: InspectedContainer, signal: AbortSignal) {
  const named = Object.entries(found.NetworkSettings.Networks ?? {});
  const looks = named.map(async ([name, endpoint]) => {
    // Before its first start a container may know a network by its name only.
    const id = endpoint.NetworkID || name;
    const there = await engineFind(docker, `/networks/${encodeURIComponent(id)}`, z.object({ Id: z.string() }), signal);
    return there ? [[name, endpoint] as const] : [];
  });
  const Networks = Object.fromEntries((await Promise.all(looks)).flat());
  return { ...found, NetworkSettings: { ...found.NetworkSettings, Networks } };
}
