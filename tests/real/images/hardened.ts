import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { z } from 'zod';
import { baseImageReference } from '../../../images/base/reference.ts';
import { type ContextFiles, type ImageRole, imageContext } from '../../../images/context.ts';

/**
 * Images and containers of one test file, as the kit makes them: the classic builder without a network, and containers
 * with no root, no capability, a read-only root file system, secrets as files in a volume. `clean` removes everything.
 */
export interface Workbench {
  /** Of everything made here. */
  readonly label: Readonly<Record<string, string>>;
  build(role: ImageRole, files?: ContextFiles, base?: string): Promise<string>;
  /** An image made of another one by a few lines of a Dockerfile. */
  derive(from: string, lines: readonly string[]): Promise<string>;
  start(image: string, options?: StartOptions): Promise<Hardened>;
  volume(): Promise<string>;
  network(): Promise<string>;
  clean(): Promise<void>;
}

export interface StartOptions {
  readonly secrets?: Readonly<Record<string, string>>;
  /** Path by name of a volume. */
  readonly volumes?: Readonly<Record<string, string>>;
  readonly scratch?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly network?: string;
  readonly alias?: string;
  /** Ports that get one of the loopback interface. */
  readonly ports?: readonly number[];
  /** MiB. */
  readonly memory?: number;
}

export interface Hardened {
  readonly container: Docker.Container;
  /** Where a port of the container is published. */
  port(inside: number): Promise<number>;
  untilHealthy(seconds?: number): Promise<void>;
  /** Waits for the end of the process; returns its exit code. */
  ended(): Promise<number>;
  run(...command: string[]): Promise<{ exitCode: number; output: string }>;
  log(): Promise<string>;
}

export const docker = new Docker();
const root = join(import.meta.dirname, '../../..');

/** Content of a file at the project's root. */
export function projectFile(name: string): Buffer {
  return readFileSync(join(root, name));
}

export function workbench(): Workbench {
  const label = { 'conversation-kit.test': randomUUID() };
  const made: { images: string[]; containers: Docker.Container[]; volumes: string[]; networks: Docker.Network[] } = {
    images: [],
    containers: [],
    volumes: [],
    networks: [],
  };

  const volume = async () => {
    const name = `conversation-kit-test-${randomUUID()}`;
    await docker.createVolume({ Name: name, Labels: label });
    made.volumes.push(name);
    return name;
  };

  return {
    label,
    volume,
    async derive(from, lines) {
      const context = await mkdtemp(join(tmpdir(), 'conversation-kit-test-'));
      const tag = `conversation-kit-test/derived:${randomUUID()}`;
      try {
        await writeFile(join(context, 'Dockerfile'), [`FROM ${from}`, 'USER root', ...lines].join('\n'));
        await buildImage(context, { t: tag, labels: label, networkmode: 'none' });
      } finally {
        await rm(context, { recursive: true });
      }
      made.images.push(tag);
      return tag;
    },
    async build(role, files = {}, base = baseImageReference()) {
      const { directory } = imageContext(role, { base, files });
      const tag = `conversation-kit-test/${role}:${randomUUID()}`;
      await buildImage(join(root, directory), {
        t: tag,
        buildargs: { BASE: base },
        labels: label,
        networkmode: 'none',
      });
      made.images.push(tag);
      return tag;
    },
    async start(image, options = {}) {
      const mounts = { ...options.volumes };
      if (options.secrets) mounts[await volume()] = '/run/secrets';
      const container = await docker.createContainer({
        Image: image,
        User: '10001:10001',
        Labels: label,
        // The image's own check, more often.
        Healthcheck: { Interval: 500_000_000 },
        Env: Object.entries(options.environment ?? {}).map(([name, value]) => `${name}=${value}`),
        ...(options.command ? { Cmd: [...options.command] } : {}),
        ExposedPorts: Object.fromEntries((options.ports ?? []).map((port) => [`${port}/tcp`, {}])),
        HostConfig: {
          Init: true,
          ReadonlyRootfs: true,
          CapDrop: ['ALL'],
          SecurityOpt: ['no-new-privileges:true'],
          Memory: (options.memory ?? 512) * 1024 * 1024,
          Tmpfs: Object.fromEntries(
            ['/tmp', ...(options.scratch ?? [])].map((path) => [path, 'rw,noexec,nosuid,nodev,size=64m,mode=1777']),
          ),
          Binds: Object.entries(mounts).map(([name, path]) => `${name}:${path}`),
          PortBindings: Object.fromEntries(
            (options.ports ?? []).map((port) => [`${port}/tcp`, [{ HostIp: '127.0.0.1', HostPort: '' }]]),
          ),
          ...(options.network ? { NetworkMode: options.network } : {}),
        },
        ...(options.network && options.alias
          ? { NetworkingConfig: { EndpointsConfig: { [options.network]: { Aliases: [options.alias] } } } }
          : {}),
      });
      made.containers.push(container);
      for (const [name, content] of Object.entries(options.secrets ?? {})) await putSecret(container, name, content);
      await container.start();
      return hardened(container);
    },
    async network() {
      const network = await docker.createNetwork({ Name: `conversation-kit-test-${randomUUID()}`, Labels: label });
      made.networks.push(network);
      return network.id;
    },
    async clean() {
      for (const container of made.containers) await container.remove({ force: true, v: true }).catch(unlessGone);
      for (const name of made.volumes) await docker.getVolume(name).remove();
      for (const network of made.networks) await network.remove();
      for (const image of made.images.reverse()) await docker.getImage(image).remove({ force: true });
    },
  };
}

export function hardened(container: Docker.Container): Hardened {
  const log = async () => {
    const written = await container.logs({ stdout: true, stderr: true });
    const both = new PassThrough();
    const stream = PassThrough.from([written]);
    container.modem.demuxStream(stream, both, both);
    stream.on('end', () => both.end());
    return text(both);
  };
  return {
    container,
    log,
    async port(inside) {
      const { NetworkSettings } = await container.inspect();
      const [binding] = NetworkSettings.Ports[`${inside}/tcp`] ?? [];
      if (!binding) throw new Error(`port ${inside} is not published`);
      return Number(binding.HostPort);
    },
    async untilHealthy(seconds = 60) {
      const deadline = Date.now() + seconds * 1000;
      for (;;) {
        const { State } = await container.inspect();
        if (State.Health?.Status === 'healthy') return;
        if (!State.Running || State.Health?.Status === 'unhealthy' || Date.now() > deadline) {
          const probes = State.Health?.Log?.map(({ Output }) => Output).join('');
          throw new Error(`${State.Status}, ${State.Health?.Status}:\n${await log()}\nhealth: ${probes}`);
        }
        await delay(100);
      }
    },
    async ended() {
      return z.object({ StatusCode: z.number() }).parse(await container.wait()).StatusCode;
    },
    async run(...command) {
      const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
      const stream = await exec.start({});
      const both = new PassThrough();
      container.modem.demuxStream(stream, both, both);
      const [output] = await Promise.all([text(both), finished(stream).then(() => both.end())]);
      const { ExitCode } = await exec.inspect();
      return { exitCode: ExitCode ?? -1, output: output.trim() };
    },
  };
}

async function buildImage(context: string, options: Docker.ImageBuildOptions): Promise<void> {
  const tar = spawn('tar', ['-c', '-C', context, '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  // Node drops what a process that has ended wrote, unless somebody reads it by then.
  const archive = tar.stdout.pipe(new PassThrough());
  const stream = await docker.buildImage(archive, { ...options, rm: true, forcerm: true });
  const lines = await new Promise<{ stream?: string }[]>((resolve, reject) => {
    docker.modem.followProgress(stream, (error, output) => (error ? reject(error) : resolve(output)));
  });
  if (!lines.some((line) => line.stream?.startsWith('Successfully built'))) {
    throw new Error(`no image was built:\n${lines.map((line) => line.stream ?? JSON.stringify(line)).join('')}`);
  }
}

/** As the docker plugin does it: into the volume of a container that has not been started. */
async function putSecret(container: Docker.Container, name: string, content: string): Promise<void> {
  const bytes = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000444\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  await container.putArchive(Buffer.concat([header, bytes, padding, Buffer.alloc(1024)]), { path: '/run/secrets' });
}

function unlessGone(error: unknown): void {
  if (!z.object({ statusCode: z.literal(404) }).safeParse(error).success) throw error;
}
