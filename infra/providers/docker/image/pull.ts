import type Docker from 'dockerode';
import { credentialsFor, type DockerContext } from '../config.ts';
import { EngineRefusal } from '../engine-error.ts';
import { findLocalImage, type LocalImage } from './local-image.ts';
import { answeredWithin, engineMessages, errorOf, Stalled } from './progress-stream.ts';
import { type ImageReference, parseImageReference } from './reference.ts';

/** Seconds without a word from the registry after which a pull counts as stuck. */
const silence = 120;

/** The image, pulled when the engine has not got it. */
export async function ensureImage(
  docker: Docker,
  name: string,
  context: DockerContext,
  platform?: string,
): Promise<LocalImage> {
  const local = await findLocalImage(docker, name, context.signal);
  if (local) return local;
  if (/^(sha256:)?[0-9a-f]{64}$/.test(name))
    throw new Error(`the engine has no image ${name}, and an image can't be pulled by its id: name it`);
  await pullImage(docker, name, context, platform);
  const pulled = await findLocalImage(docker, name, context.signal);
  if (pulled) return pulled;
  throw new Error(`the engine pulled ${name}, but does not know it by that name`);
}

async function pullImage(docker: Docker, name: string, context: DockerContext, platform: string | undefined) {
  const reference = parseImageReference(name);
  const credentials = credentialsFor(reference.registry, context.config);
  context.progress(`pulling ${name}`);
  try {
    const stream = await answeredWithin(silence, context.signal, (abortSignal) =>
      docker.createImage(credentials ?? {}, {
        fromImage: reference.repository,
        tag: reference.digest ?? reference.tag ?? 'latest',
        ...(platform ? { platform } : {}),
        abortSignal,
      }),
    );
    const layers = new LayerProgress(name);
    for await (const said of engineMessages(stream, silence, context.signal)) {
      const error = errorOf(said);
      if (error) throw new Error(error);
      const line = layers.lineFor(said.id, said.status);
      if (line) context.progress(line);
    }
  } catch (error) {
    if (context.signal.aborted) throw error;
    throw new Error(`${name} can't be pulled from ${reference.registry}: ${whyNot(error, reference)}`, {
      cause: error,
    });
  }
}

function whyNot(error: unknown, { registry }: ImageReference): string {
  if (error instanceof Stalled)
    return `the registry stopped answering (nothing came for ${silence} s). Run the update again; the layers that arrived are kept`;
  const message = error instanceof Error ? error.message : String(error);
  if (/unauthorized|denied|authentication required|no basic auth credentials/i.test(message))
    return `${message}. Log in (docker login ${registry}) and set docker:registryAuth, or check the name`;
  if (/no such host|connection refused|i\/o timeout|network is unreachable|TLS handshake/i.test(message))
    return `${message}. The engine, not this machine, talks to the registry: check its network and proxy`;
  if (/manifest unknown|not found/i.test(message) || (error instanceof EngineRefusal && error.statusCode === 404))
    return `${message}. Check the name and the tag`;
  return message;
}

/** One status line for all layers: how many are done. */
class LayerProgress {
  readonly #name: string;
  readonly #seen = new Set<string>();
  readonly #done = new Set<string>();
  #said = '';

  constructor(name: string) {
    this.#name = name;
  }

  lineFor(layer: string | undefined, status: string | undefined): string | undefined {
    if (!layer || !status) return undefined;
    if (/^Pulling fs layer|^Already exists/.test(status)) this.#seen.add(layer);
    if (/^Pull complete|^Already exists/.test(status)) this.#done.add(layer);
    const line = `pulling ${this.#name}: ${this.#done.size} of ${this.#seen.size} layers`;
    if (this.#seen.size === 0 || line === this.#said) return undefined;
    this.#said = line;
    return line;
  }
}
