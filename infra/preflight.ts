import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type Docker from 'dockerode';
import type { Settings } from './config.ts';
import { type Listener, listeningPorts } from './listening-ports.ts';
import { connectEngine } from './providers/docker/engine.ts';

export interface PublishedPort {
  /** The configuration key that moves it. */
  readonly key: string;
  readonly port: number;
}

export interface PreflightArgs {
  readonly stack: string;
  readonly namespace: string;
  readonly ports: readonly PublishedPort[];
  /** As in DOCKER_HOST, which is the default. */
  readonly dockerHost: string | undefined;
}

/** What stands in the way of an update, all of it, each with its remedy. */
export class PreflightError extends Error {
  override readonly name = 'PreflightError';
  constructor(problems: readonly string[]) {
    super(`Nothing was changed, because:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

/** The ports that a stack publishes on its box. */
export function publishedPorts(settings: Settings): PublishedPort[] {
  const keys: (keyof Settings & `${string}Port`)[] = ['httpPort', 'httpsPort'];
  if (settings.supabase === 'embedded') keys.push('supabasePort', 'postgresPort');
  if (settings.redisCommander) keys.push('redisCommanderPort');
  return keys.map((key) => ({ key, port: settings[key] }));
}

const leastFreeMiB = 2048;

/** Looks at the box before anything is changed. Throws one {@link PreflightError} with everything found. */
export async function preflight(args: PreflightArgs): Promise<void> {
  const engine = await connectEngine(args.dockerHost);
  const isHere = !args.dockerHost?.startsWith('ssh://');
  const problems = isHere ? [...(await fullDisk(engine)), ...(await takenPorts(args, engine))] : [];
  if (problems.length > 0) throw new PreflightError(problems);
}

export async function fullDisk(engine: Pick<Docker, 'info'>): Promise<string[]> {
  const { DockerRootDir: directory } = await engine.info();
  if (!existsSync(directory)) return []; // an engine in a virtual machine keeps its data where we can't look
  const { bavail, bsize } = await statfs(directory);
  const free = Math.floor((bavail * bsize) / 2 ** 20);
  if (free >= leastFreeMiB) return [];
  return [
    `${directory} has ${free} MiB free and ${leastFreeMiB} MiB are needed: free some with "docker system prune" (it leaves volumes alone)`,
  ];
}

async function takenPorts({ stack, namespace, ports }: PreflightArgs, engine: Docker): Promise<string[]> {
  const containers = await engine.listContainers();
  const listeners = listeningPorts();
  return ports.flatMap(({ key, port }) => {
    const holder = containers.find(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port));
    if (holder?.Labels['conversation-kit.stack'] === namespace) return [];
    const listener = listeners.get(port);
    if (!holder && !listener) return [];
    const by = holder ? `container ${holder.Names[0]?.replace('/', '') ?? holder.Id}` : processName(listener);
    return [
      `port ${port} is taken by ${by}: stop it, or use another: pulumi config set ${key} <port> -s ${stack}` +
        ` (npm run up -- --config ${key}=<port>)`,
    ];
  });
}

function processName(listener: Listener | undefined): string {
  const { process } = listener ?? {};
  return process ? `${process.name} (process ${process.pid})` : 'a process of another user (sudo ss -ltnp shows it)';
}
