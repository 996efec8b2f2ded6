import { z } from 'zod';
import type { Comparison } from '../input-difference.ts';
import { parseDuration } from '../input-difference.ts';
import { count, flag, label, mapPaths, notImplemented, port, text, textMap, texts, whole } from '../input-schema.ts';

const duration = text
  .refine((value) => parseDuration(value) !== undefined, 'must be a duration such as 30s, 1m30s or 500ms')
  .default('0s');

const healthcheck = z.strictObject({
  tests: texts.optional(),
  interval: duration,
  timeout: duration,
  startPeriod: duration,
  startInterval: duration,
  retries: count.optional(),
});

const networkAdvanced = z.strictObject({
  name: text.min(1, 'must name a network'),
  aliases: texts.optional(),
  driverOpts: z.array(text.regex(/^[^=]+=/, 'must be name=value')).optional(),
  gwPriority: notImplemented('it needs a newer engine API'),
  ipv4Address: text.optional(),
  ipv6Address: text.optional(),
  linkLocalIps: texts.optional(),
  macAddress: text.optional(),
});

const publishedPort = z.strictObject({
  internal: port,
  external: port.optional(),
  ip: text.default('0.0.0.0'),
  protocol: text.default('tcp'),
});

const volumeMount = z
  .strictObject({
    containerPath: text.optional(),
    fromContainer: text.optional(),
    hostPath: text.regex(/^([A-Za-z]:)?[/\\]/, 'must be an absolute path on the engine').optional(),
    readOnly: flag.optional(),
    selinuxRelabel: z.enum(['z', 'Z'], 'must be z or Z').optional(),
    volumeName: text.optional(),
  })
  .refine(
    ({ containerPath, fromContainer }) => Boolean(containerPath) !== Boolean(fromContainer),
    'needs either a containerPath or a container it comes from',
  );

const mount = z.strictObject({
  target: text,
  source: text.optional(),
  type: z.enum(['bind', 'volume', 'tmpfs'], 'must be bind, volume or tmpfs'),
  readOnly: flag.optional(),
  bindOptions: z
    .strictObject({ propagation: z.enum(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']).optional() })
    .optional(),
  volumeOptions: z
    .strictObject({
      noCopy: flag.optional(),
      labels: z.array(label).optional(),
      driverName: text.optional(),
      driverOptions: textMap.optional(),
      subpath: notImplemented('it needs a newer engine API'),
    })
    .optional(),
  tmpfsOptions: z.strictObject({ sizeBytes: count.optional(), mode: count.optional() }).optional(),
});

const upload = z
  .strictObject({
    file: text.regex(/^\//, 'must be an absolute path in the container'),
    content: text.optional(),
    contentBase64: z.base64('must be base64').optional(),
    source: text.optional(),
    sourceHash: text.optional(),
    executable: flag.optional(),
    permissions: text.regex(/^0[0-7]{3}$/, 'must be octal with a zero in front, such as 0444').optional(),
    owner: text.regex(/^\d+$/, 'must be a number: names are not implemented by the stand-in').optional(),
    group: text.regex(/^\d+$/, 'must be a number: names are not implemented by the stand-in').optional(),
  })
  .refine(
    ({ content, contentBase64, source }) => [content, contentBase64, source].filter(Boolean).length === 1,
    'needs one of content, contentBase64 and source, and that not empty',
  );

const throttle = z.array(z.strictObject({ path: text, rate: count })).optional();

/** Inputs of `docker:index/container:Container`. Sizes are MB of 1024 × 1024 bytes, times in seconds, unless it says so. */
export const containerInputs = z.strictObject({
  name: text.regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, 'must be letters, digits, "_", "." and "-"'),
  image: text.min(1, 'must name an image'),
  attach: flag.optional(),
  capabilities: z.strictObject({ adds: texts.optional(), drops: texts.optional() }).optional(),
  cgroupParent: text.optional(),
  cgroupnsMode: z.enum(['private', 'host'], 'must be private or host').optional(),
  command: z.array(text.min(1, 'must not be empty')).optional(),
  containerReadRefreshTimeoutMilliseconds: count.default(15_000),
  cpuPeriod: count.optional(),
  cpuQuota: count.optional(),
  cpuSet: text.regex(/^\d+([,-]\d+)*$/, 'must be a list or range of CPUs, such as 0-1').optional(),
  cpuShares: count.optional(),
  cpus: text.regex(/^\d+(\.\d{1,9})?$/, 'must be a number of CPUs in a string, such as "1.5"').optional(),
  destroyGraceSeconds: whole.optional(),
  deviceCgroupRules: texts.optional(),
  deviceReadBps: throttle,
  deviceReadIops: throttle,
  deviceRequests: notImplemented(),
  deviceWriteBps: throttle,
  deviceWriteIops: throttle,
  devices: z
    .array(z.strictObject({ hostPath: text, containerPath: text.optional(), permissions: text.default('rwm') }))
    .optional(),
  dns: texts.optional(),
  dnsOpts: texts.optional(),
  dnsSearches: texts.optional(),
  domainname: text.optional(),
  entrypoints: texts.optional(),
  envs: texts.optional(),
  gpus: notImplemented(),
  groupAdds: texts.optional(),
  healthcheck: healthcheck.optional(),
  hostname: text.optional(),
  hosts: z.array(z.strictObject({ host: text, ip: text })).optional(),
  init: flag.optional(),
  ipcMode: text.optional(),
  labels: z.array(label).optional(),
  logDriver: text.optional(),
  logOpts: textMap.optional(),
  logs: flag.optional(),
  maxRetryCount: whole.optional(),
  memory: count.optional(),
  memoryReservation: count.optional(),
  memorySwap: whole.min(-1, 'must be -1 (no limit) or more').optional(),
  mounts: z.array(mount).optional(),
  mustRun: flag.default(true),
  networkMode: text.default('bridge'),
  networksAdvanced: z.array(networkAdvanced).optional(),
  pidMode: text.optional(),
  platform: notImplemented('the engine runs the platform that the image is for'),
  ports: z.array(publishedPort).optional(),
  privileged: flag.optional(),
  publishAllPorts: flag.optional(),
  readOnly: flag.optional(),
  removeVolumes: flag.default(true),
  restart: z
    .enum(['no', 'on-failure', 'always', 'unless-stopped'], 'must be no, on-failure, always or unless-stopped')
    .default('no'),
  rm: flag.optional(),
  runtime: text.optional(),
  securityOpts: texts.optional(),
  shmSize: count.optional(),
  start: flag.default(true),
  stdinOpen: flag.optional(),
  stopSignal: text.optional(),
  stopTimeout: whole.optional(),
  storageOpts: textMap.optional(),
  sysctls: textMap.optional(),
  tmpfs: textMap.optional(),
  tty: flag.optional(),
  ulimits: z.array(z.strictObject({ name: text, soft: whole, hard: whole })).optional(),
  uploads: z.array(upload).optional(),
  user: text.optional(),
  usernsMode: text.optional(),
  volumes: z.array(volumeMount).optional(),
  wait: flag.optional(),
  waitTimeout: count.default(60),
  workingDir: text.optional(),
});
export type ContainerInputs = z.output<typeof containerInputs>;

/** Changed by the engine in a container that exists. */
export const changedByEngine = [
  'cpuPeriod',
  'cpuQuota',
  'cpuSet',
  'cpuShares',
  'maxRetryCount',
  'memory',
  'memoryReservation',
  'memorySwap',
  'restart',
] as const satisfies readonly (keyof ContainerInputs)[];

/**
 * Not changed by any engine in a container that exists, and yet no reason for the official plugin to replace it. The
 * program can make it one with the resource option `replaceOnChanges`.
 */
export const heldByContainer = [
  'deviceReadBps',
  'deviceReadIops',
  'deviceWriteBps',
  'deviceWriteIops',
  'healthcheck',
  'init',
  'rm',
  'tmpfs',
] as const satisfies readonly (keyof ContainerInputs)[];

/** What the plugin itself does, or lets be, around the container's life. */
const aroundContainer = [
  'attach',
  'containerReadRefreshTimeoutMilliseconds',
  'destroyGraceSeconds',
  'logs',
  'mustRun',
  'removeVolumes',
  'start',
  'wait',
  'waitTimeout',
] as const satisfies readonly (keyof ContainerInputs)[];

const changesInPlace = new Set<string>([...changedByEngine, ...heldByContainer, ...aroundContainer]);

export const replacingInputs: readonly (keyof ContainerInputs)[] = containerInputs
  .keyof()
  .options.filter((name) => !changesInPlace.has(name));

export const containerComparison: Comparison = {
  replaceOnChanges: replacingInputs,
  ordered: ['command', 'entrypoints', 'healthcheck.tests'],
  maps: mapPaths(containerInputs),
  durations: ['healthcheck.interval', 'healthcheck.timeout', 'healthcheck.startPeriod', 'healthcheck.startInterval'],
};

/** Older states, and those that the official plugin has refreshed, hold defaults or leave them out. */
export function withDefaults(inputs: object): object {
  const parsed = containerInputs.safeParse(inputs);
  return parsed.success ? parsed.data : inputs;
}
