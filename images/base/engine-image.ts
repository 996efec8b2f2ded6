import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { z } from 'zod';
import { CommandFailed } from './command.ts';
import { BaseImageProblem } from './problem.ts';
import { recipe } from './recipe.ts';
import { baseImageRepository } from './reference.ts';

export interface EngineImage {
  readonly id: string;
  /** Bytes, unpacked. */
  readonly size: number;
}

/** The image of that reference, or undefined where the engine does not have it. */
export async function findImage(docker: Docker, reference: string): Promise<EngineImage | undefined> {
  try {
    const { Id, Size } = await docker.getImage(reference).inspect();
    return { id: Id, size: Size };
  } catch (error) {
    if (z.object({ statusCode: z.literal(404) }).safeParse(error).success) return undefined;
    throw engineProblem(error);
  }
}

/**
 * Makes an image of a folder and gives it its reference only after every server in it has shown that it starts: an
 * image that has the reference is whole. Everything in it belongs to root, and nothing raises privileges.
 */
export async function createImage(
  docker: Docker,
  image: { root: string; reference: string; path: readonly string[]; labels: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<EngineImage> {
  const id = await importFolder(docker, image, signal);
  try {
    await proveServersStart(docker, id, signal);
    const tag = image.reference.slice(baseImageRepository.length + 1);
    await docker.getImage(id).tag({ repo: baseImageRepository, tag });
  } catch (error) {
    await docker.getImage(id).remove({ force: true });
    throw error;
  }
  const { Size } = await docker.getImage(id).inspect();
  return { id, size: Size };
}

async function importFolder(
  docker: Docker,
  { root, path, labels }: { root: string; path: readonly string[]; labels: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<string> {
  // The same packages make the same bytes: sorted, without the builder's clock and accounts.
  const canonical = ['--sort=name', '--mtime=@946684800', '--owner=0', '--group=0', '--numeric-owner', '--mode=ug-s'];
  const tar = spawn('tar', [...canonical, '--create', '-C', root, '.'], { signal, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<string>((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', (code, killedBy) => resolve(killedBy ?? `exit code ${code}`));
  });
  // Node drops what a process that has ended wrote, unless somebody reads it by then.
  const archive = tar.stdout.pipe(new PassThrough());
  const changes = [
    `ENV PATH=${path.join(':')}`,
    'ENV LANG=C.UTF-8',
    ...Object.entries(labels).map(([name, value]) => `LABEL ${JSON.stringify(name)}=${JSON.stringify(value)}`),
  ];
  const [answer, said, ending] = await Promise.all([
    docker
      .importImage(archive, { changes: changes.join('\n'), abortSignal: signal })
      .then(readImportAnswer, (error: unknown) => Promise.reject(engineProblem(error))),
    text(tar.stderr),
    ended,
  ]);
  if (ending !== 'exit code 0') throw new CommandFailed(['tar'], ending, said);
  return answer;
}

const importLine = z.union([z.object({ status: z.string() }), z.object({ error: z.string() })]);

async function readImportAnswer(stream: NodeJS.ReadableStream): Promise<string> {
  let id: string | undefined;
  for await (const line of createInterface({ input: stream })) {
    if (line.trim() === '') continue;
    const message = importLine.parse(JSON.parse(line));
    if ('error' in message) throw engineProblem(new Error(message.error));
    id = message.status;
  }
  if (id?.startsWith('sha256:')) return id;
  throw new Error(`the Docker engine did not say which image it made (its last word: ${id})`);
}

/** As the account, read-only and without a network: as they will run. */
async function proveServersStart(docker: Docker, image: string, signal: AbortSignal): Promise<void> {
  const proofs = [
    'node --version',
    'redis-server --version',
    'redis-cli --version',
    'caddy version',
    'postgres --version',
  ];
  const more = ['initdb --version', 'pg_isready --version', 'psql --version', 'pg_dump --version', 'flock --version'];
  const container = await docker.createContainer({
    Image: image,
    User: `${recipe.account.id}:${recipe.account.id}`,
    Cmd: ['/bin/sh', '-c', `set -e; ${[...proofs, ...more].join('; ')}`],
    Labels: { 'conversation-kit.image': 'base' },
    HostConfig: { NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'] },
  });
  try {
    await container.start({ abortSignal: signal });
    const { StatusCode } = z.object({ StatusCode: z.number() }).parse(await container.wait({ abortSignal: signal }));
    if (StatusCode !== 0) {
      const log = await container.logs({ stdout: true, stderr: true, tail: 20 });
      throw new Error(`a server does not start in the image just built:\n${log.toString('utf8')}`);
    }
  } finally {
    await container.remove({ force: true });
  }
}

/** Errors of the engine's, in words that say what to do. */
export function engineProblem(error: unknown): unknown {
  const { code, message } = z
    .object({ code: z.string().optional(), message: z.string() })
    .catch({ message: '' })
    .parse(error);
  if (/no space left on device/i.test(message)) {
    return new BaseImageProblem('The disk of the Docker engine is full', {
      remedy: 'Free 1 GB there (docker system df shows what uses it), then run the same command again.',
      cause: error,
    });
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new BaseImageProblem('No Docker engine answers', {
      remedy: 'Start it (systemctl start docker), or say where it is with DOCKER_HOST.',
      cause: error,
    });
  }
  if (code === 'EACCES') {
    return new BaseImageProblem('The Docker engine refuses this user', {
      remedy: 'sudo usermod -aG docker "$USER", then log in anew.',
      cause: error,
    });
  }
  return error;
}
