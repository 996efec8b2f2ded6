/** A name of an image, taken apart; `docker.io/library/` is what a short one leaves out. */
export interface ImageReference {
  /** Host of the registry, with its port. */
  readonly registry: string;
  /** As it was given, without tag and digest. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

export function parseImageReference(name: string): ImageReference {
  const [, beforeDigest = name, digest] = /^(.*?)(?:@(sha256:[0-9a-f]{64}))?$/.exec(name) ?? [];
  const [, repository = beforeDigest, tag] = /^(.*?)(?::([\w][\w.-]*))?$/.exec(beforeDigest) ?? [];
  const first = repository.split('/', 1)[0] ?? '';
  const isHost = repository.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  return { registry: isHost ? first : 'docker.io', repository, tag, digest };
}

/** `docker.io/library/redis` for `redis`: what an engine compares. */
export function fullRepository({ registry, repository }: ImageReference): string {
  if (registry !== 'docker.io') return repository;
  const path = repository.replace(/^docker\.io\//, '');
  return `docker.io/${path.includes('/') ? path : `library/${path}`}`;
}
