import { z } from 'zod';

/** What `docker inspect` says of a container, as far as a compose file repeats it. */
export const inspected = z.object({
  Name: z.string().startsWith('/'),
  Config: z.object({
    Image: z.string(),
    User: z.string(),
    Env: z.array(z.string()),
    Labels: z.record(z.string(), z.string()),
    StopTimeout: z.number().optional(),
  }),
  HostConfig: z.object({
    ReadonlyRootfs: z.boolean(),
    CapDrop: z.array(z.string()),
    SecurityOpt: z.array(z.string()),
    Init: z.boolean(),
    Memory: z.number(),
    MemorySwap: z.number(),
    NanoCpus: z.number(),
    Tmpfs: z.record(z.string(), z.string()),
    PortBindings: z.record(z.string(), z.array(z.object({ HostIp: z.string(), HostPort: z.string() }))).nullable(),
    RestartPolicy: z.object({ Name: z.string() }),
    LogConfig: z.object({ Type: z.string(), Config: z.record(z.string(), z.string()) }),
  }),
  Mounts: z.array(z.object({ Type: z.string(), Name: z.string().optional(), Destination: z.string() })),
  NetworkSettings: z.object({ Networks: z.record(z.string(), z.object({ Aliases: z.array(z.string()).nullable() })) }),
});
export type Inspected = z.output<typeof inspected>;

/** Who waits for whom to be healthy at its start, as such a file would have it. */
const dependencies: Readonly<Record<string, readonly string[]>> = {
  supabase: ['postgres'],
  service: ['redis', 'supabase'],
  'redis-commander': ['redis'],
};

/** The role of a container in its stack. */
export function roleOf({ Name, Config }: Inspected): string {
  const role = Config.Labels['conversation-kit.role'];
  if (role === undefined) throw new Error(`${Name} has no role: it is none of the kit's`);
  return role;
}

/**
 * A compose file, as a JSON document, with the same containers of the same images on the same volumes: a service for each
 * role, `environment` on top of what the service has.
 */
export function composeFile(
  project: string,
  containers: readonly Inspected[],
  environment: Readonly<Record<string, string>>,
): string {
  const roles = containers.map(roleOf);
  const volumes = new Set(containers.flatMap(({ Mounts }) => volumesOf(Mounts).map(({ name }) => name)));
  const file = {
    name: project,
    services: Object.fromEntries(
      containers.map((container) => {
        const role = roleOf(container);
        const needs = (dependencies[role] ?? []).filter((other) => roles.includes(other));
        const service = serviceOf(container, role === 'service' ? environment : {});
        const waits = Object.fromEntries(needs.map((other) => [other, { condition: 'service_healthy' }]));
        return [role, { ...service, container_name: `${project}-${role}`, depends_on: waits }];
      }),
    ),
    volumes: Object.fromEntries([...volumes].map((name) => [name, { name, external: true }])),
    networks: { default: { labels: stackLabel(containers) } },
  };
  // Compose would take $ for the beginning of a variable.
  return JSON.stringify(file, null, 2).replaceAll('$', '$$$$');
}

/** So that whoever removes the stack by its label removes this, too. */
function stackLabel([first]: readonly Inspected[]): Record<string, string> {
  const label = 'conversation-kit.stack';
  return { [label]: first?.Config.Labels[label] ?? '' };
}

function serviceOf({ Config, HostConfig, Mounts, NetworkSettings }: Inspected, environment: Record<string, string>) {
  const given = Object.fromEntries(
    Config.Env.map((entry) => [entry.split('=', 1)[0] ?? '', entry.replace(/^[^=]*=/, '')]),
  );
  const aliases = Object.values(NetworkSettings.Networks).flatMap(({ Aliases }) => Aliases ?? []);
  const ports = Object.entries(HostConfig.PortBindings ?? {}).flatMap(([inside, bindings]) =>
    bindings.map(({ HostIp, HostPort }) => `${HostIp}:${HostPort}:${inside}`),
  );
  return {
    image: Config.Image,
    user: Config.User,
    environment: { ...given, ...environment },
    labels: Config.Labels,
    read_only: HostConfig.ReadonlyRootfs,
    cap_drop: HostConfig.CapDrop,
    security_opt: HostConfig.SecurityOpt,
    init: HostConfig.Init,
    mem_limit: HostConfig.Memory,
    memswap_limit: HostConfig.MemorySwap,
    cpus: HostConfig.NanoCpus / 1e9,
    tmpfs: Object.entries(HostConfig.Tmpfs).map(([path, options]) => `${path}:${options}`),
    volumes: volumesOf(Mounts).map(({ name, path }) => `${name}:${path}`),
    networks: { default: { aliases } },
    ports,
    restart: HostConfig.RestartPolicy.Name,
    logging: { driver: HostConfig.LogConfig.Type, options: HostConfig.LogConfig.Config },
    stop_grace_period: `${Config.StopTimeout ?? 10}s`,
  };
}

function volumesOf(mounts: Inspected['Mounts']): { name: string; path: string }[] {
  return mounts.flatMap(({ Type, Name, Destination }) =>
    Type === 'volume' && Name !== undefined ? [{ name: Name, path: Destination }] : [],
  );
}
