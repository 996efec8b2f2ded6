import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { promisify } from 'node:util';
import type Docker from 'dockerode';
import { z } from 'zod';
import { sshCommand, sshTarget } from '../../ssh/target.ts';
import { type Listener, listeningInodes, listeningPorts } from '../listening-ports.ts';

/** What an update has to know of the box before it begins. */
export interface Box {
  readonly engineVersion: string;
  /** MiB. */
  readonly memory: number;
  /** Seconds that its clock is ahead of ours, and how well we can tell. */
  readonly clock: { readonly ahead: number; readonly uncertainty: number };
  /** Where the engine keeps its data; `free` (MiB) is undefined where we can't look. */
  readonly disk: { readonly directory: string; readonly free: number | undefined };
  /** Undefined where we can't look. */
  readonly listeners: ReadonlyMap<number, Listener> | undefined;
  /** Its IP addresses; undefined where we can't look. */
  readonly addresses: ReadonlySet<string> | undefined;
  /** Names of the images that the engine has. */
  readonly images: ReadonlySet<string>;
  readonly publishedPorts: readonly PortHolder[];
}

export interface PortHolder {
  readonly port: number;
  readonly container: string;
  /** The stack that it belongs to, if it is one of ours. */
  readonly namespace: string | undefined;
}

const info = z.object({
  ServerVersion: z.string(),
  MemTotal: z.number(),
  SystemTime: z.string(),
  DockerRootDir: z.string(),
});

/** Looks at the box of an engine, by the engine and, where that is another machine, by ssh. */
export async function lookAtBox(engine: Docker, dockerHost: string | undefined): Promise<Box> {
  const asked = Date.now();
  const { ServerVersion, MemTotal, SystemTime, DockerRootDir: directory } = info.parse(await engine.info());
  const answered = Date.now();
  const [containers, images, { free, listeners, addresses }] = await Promise.all([
    engine.listContainers(),
    engine.listImages(),
    sshTarget(dockerHost) ? lookOverSsh(dockerHost, directory) : lookHere(directory),
  ]);
  return {
    engineVersion: ServerVersion,
    memory: Math.floor(MemTotal / 2 ** 20),
    clock: {
      ahead: (Date.parse(SystemTime) - (asked + answered) / 2) / 1000,
      uncertainty: (answered - asked) / 2000,
    },
    disk: { directory, free },
    listeners,
    addresses,
    images: new Set(images.flatMap(({ RepoTags }) => RepoTags ?? [])),
    publishedPorts: containers.flatMap(({ Names, Id, Labels, Ports }) =>
      Ports.flatMap(({ PublicPort: port }) =>
        port === undefined
          ? []
          : [{ port, container: Names[0]?.replace('/', '') ?? Id, namespace: Labels['conversation-kit.stack'] }],
      ),
    ),
  };
}

type Look = Pick<Box, 'listeners' | 'addresses'> & Pick<Box['disk'], 'free'>;
const unseen: Look = { free: undefined, listeners: undefined, addresses: undefined };

async function lookHere(directory: string): Promise<Look> {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return {
    free: await freeSpace(directory),
    listeners: listeningPorts(),
    addresses: new Set(own.map(({ address }) => address)),
  };
}

/** Free MiB; undefined for an engine in a virtual machine: it keeps its data where we can't look. */
export async function freeSpace(directory: string): Promise<number | undefined> {
  if (!existsSync(directory)) return undefined;
  const { bavail, bsize } = await statfs(directory);
  return Math.floor((bavail * bsize) / 2 ** 20);
}

const run = promisify(execFile);

async function lookOverSsh(dockerHost: string | undefined, directory: string): Promise<Look> {
  const target = sshTarget(dockerHost);
  if (!target) return unseen;
  const look = `df -Pk '${directory.replaceAll("'", "'\\''")}'; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; echo addresses: $(hostname -I)`;
  const [program = 'ssh', ...args] = sshCommand(target, [look]);
  try {
    return parseLook((await run(program, args, { timeout: 60_000 })).stdout);
  } catch {
    // Its user may run nothing but docker there, and the engine has answered: the report says what was not looked at.
    return unseen;
  }
}

/** What `df -Pk`, the kernel's tables of sockets and `hostname -I` say. */
export function parseLook(text: string): Look {
  const blocks = /^\S+ +\d+ +\d+ +(\d+) +\d+% /m.exec(text)?.[1];
  const inodes = listeningInodes(text);
  const addresses = /^addresses: (.+)$/m.exec(text)?.[1];
  return {
    free: blocks === undefined ? undefined : Math.floor(Number(blocks) / 1024),
    listeners: new Map([...inodes.keys()].map((port) => [port, { process: undefined }])),
    addresses: addresses === undefined ? undefined : new Set(addresses.trim().split(/\s+/)),
  };
}
