import type Docker from 'dockerode';
import type { Credentials, DockerConfig, DockerContext } from '../config.ts';
import { credentialsFor } from '../config.ts';
import { answeredWithin, engineMessages, errorOf } from './progress-stream.ts';
import { parseImageReference } from './reference.ts';

const silence = 120;

export interface RegistryLogin {
  readonly server?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** Pushes an image; returns its reference by digest (`registry/repository@sha256:…`). */
export async function pushImage(docker: Docker, name: string, login: RegistryLogin, context: DockerContext) {
  const { registry, repository, tag } = parseImageReference(name);
  context.progress(`pushing ${name}`);
  const stream = await answeredWithin(silence, context.signal, (abortSignal) =>
    docker.getImage(repository).push({
      ...(tag ? { tag } : {}),
      authconfig: loginFor(registry, login, context.config) ?? {},
      abortSignal,
    }),
  );
  let digest: string | undefined;
  for await (const said of engineMessages(stream, silence, context.signal)) {
    const error = errorOf(said);
    if (error) throw new Error(`${name} can't be pushed to ${registry}: ${error}${remedy(error, registry)}`);
    digest = said.aux?.Digest ?? digest;
  }
  if (!digest) throw new Error(`${name} was pushed, but ${registry} did not say under which digest`);
  return `${repository}@${digest}`;
}

function loginFor(registry: string, login: RegistryLogin, config: DockerConfig): Credentials | undefined {
  if (login.username && login.password)
    return { username: login.username, password: login.password, serveraddress: login.server ?? registry };
  return credentialsFor(registry, config);
}

function remedy(error: string, registry: string): string {
  if (!/unauthorized|denied|authentication|credentials|EOF/i.test(error)) return '';
  return `. Give the image's registry a username and a password, or set docker:registryAuth for ${registry}`;
}
