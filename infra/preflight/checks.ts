import { isLoopback } from '../../ssh/networks.ts';
import type { BudgetLine } from '../profiles.ts';
import type { Box } from './box.ts';

/** One look at the box: what was found, and what of it stands in the way, each with its remedy. */
export interface Check {
  readonly name: string;
  readonly found: string;
  readonly problems: readonly string[];
}

const leastFreeMiB = 2048;

export function diskCheck({ disk: { directory, free } }: Pick<Box, 'disk'>): Check {
  const name = 'disk';
  if (free === undefined) return { name, found: `${directory} can't be looked at from here`, problems: [] };
  const problems =
    free >= leastFreeMiB
      ? []
      : [
          `${directory} has ${free} MiB free and ${leastFreeMiB} MiB are needed: free some with "docker system prune" (it leaves volumes alone)`,
        ];
  return { name, found: `${free} MiB free in ${directory}`, problems };
}

/** Whether the box has the memory that the stack may take at its peak. */
export function memoryCheck(
  { memory }: Pick<Box, 'memory'>,
  { lines, sum }: { lines: readonly BudgetLine[]; sum: number },
): Check {
  const written = `${lines.map(({ what, memory }) => `${memory} ${what}`).join(' + ')} = ${sum} MiB`;
  const problems =
    sum <= memory
      ? []
      : [
          `the box has ${memory} MiB of memory, and the stack may take ${sum} MiB: ${written}. Take a box with more, or a ` +
            'profile with less (docs/configuration.md)',
        ];
  return { name: 'memory', found: `${memory} MiB; at most ${written}`, problems };
}

/** Seconds. Tokens are made and checked by different clocks, and certificates begin at a time. */
const tolerated = 10;

export function clockCheck({ clock: { ahead, uncertainty } }: Pick<Box, 'clock'>): Check {
  const off = Math.max(0, Math.abs(ahead) - uncertainty);
  const found =
    off < 1 ? 'as here' : `${Math.round(off)} s ${ahead > 0 ? 'ahead of' : 'behind'} the one of this machine`;
  const problems =
    off <= tolerated
      ? []
      : [`the clock of the box is ${found}: have both set by NTP (on a box: npm run box -- prepare <stack>)`];
  return { name: 'clock', found, problems };
}

export interface PublishedPort {
  /** The configuration key that moves it. */
  readonly key: string;
  readonly port: number;
}

export function portCheck(
  { publishedPorts, listeners }: Pick<Box, 'publishedPorts' | 'listeners'>,
  { stack, namespace, ports }: { stack: string; namespace: string; ports: readonly PublishedPort[] },
): Check {
  const problems = ports.flatMap(({ key, port }) => {
    const holder = publishedPorts.find((published) => published.port === port);
    if (holder?.namespace === namespace) return [];
    const listener = listeners?.get(port);
    if (!holder && !listener) return [];
    const process = listener?.process;
    const by = holder
      ? `container ${holder.container}`
      : process
        ? `${process.name} (process ${process.pid})`
        : 'a process of another user (sudo ss -ltnp shows it)';
    return [
      `port ${port} is taken by ${by}: stop it, or use another: npm run pulumi -- config set ${key} <port> -s ${stack}` +
        ` (npm run up -- --config ${key}=<port>)`,
    ];
  });
  const looked = listeners ? '' : '; those of programs outside Docker can’t be looked at from here';
  return { name: 'ports', found: `${ports.map(({ port }) => port).join(', ')}${looked}`, problems };
}

/** Caddy could not listen on an address that the box does not have, and the one that serves would be gone by then. */
export function addressCheck(
  { addresses }: Pick<Box, 'addresses'>,
  { stack, bindAddress }: { stack: string; bindAddress: string },
): Check {
  const isEveryones = isLoopback(bindAddress) || bindAddress === '0.0.0.0' || bindAddress === '::';
  const isThere = isEveryones || addresses === undefined || addresses.has(bindAddress);
  const problem = () =>
    `bindAddress ${bindAddress} is no address of the box, which has ${[...(addresses ?? [])].join(', ')}: ` +
    `npm run pulumi -- config set bindAddress <one of them> -s ${stack}`;
  return { name: 'address', found: bindAddress, problems: isThere ? [] : [problem()] };
}

/** An image of the stack, by what it is called, and what it is built from where it is not there. */
export interface WantedImage {
  readonly reference: string;
  readonly base: string;
}

export function imageCheck(
  { images }: Pick<Box, 'images'>,
  {
    stack,
    dockerHost,
    source,
    wanted,
  }: {
    stack: string;
    dockerHost: string | undefined;
    source: 'registry' | 'local';
    wanted: readonly WantedImage[];
  },
): Check {
  const toBuild = wanted.filter(({ reference }) => !images.has(reference));
  const missing = [...new Set(toBuild.map(({ base }) => base))].filter((base) => !images.has(base));
  const found = [
    `${wanted.length - toBuild.length} there`,
    ...(toBuild.length > 0 ? [`${toBuild.length} to build`] : []),
    ...(source === 'registry' && missing.length > 0 ? [`${missing.length} to pull first`] : []),
  ].join(', ');
  const remedy = dockerHost?.startsWith('ssh://')
    ? `npm run box -- prepare ${stack} carries it over (with --login <who may use sudo there>)`
    : 'npm run setup builds it here, a bundle brings it';
  const problems =
    source === 'registry'
      ? [] // the engine pulls them, and says so when it can't
      : missing.map((base) => `the box lacks the base image ${base}: ${remedy}`);
  return { name: 'images', found, problems };
}
