import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stackContainers } from './smoke/containers.ts';
import type { StackOutputs } from './stack.ts';

const madeByCaddy = '/data/caddy/pki/authorities/local/root.crt';

/**
 * Saves the certificate of Caddy's own authority, which clients of the stack have to trust, and returns the file.
 * Undefined where the certificates are public ones.
 */
export async function saveAuthority({ namespace, certificates }: StackOutputs): Promise<string | undefined> {
  if (certificates === 'acme') return undefined;
  const file = join('.kit', 'certificates', `${namespace}.crt`);
  await mkdir(dirname(file), { recursive: true });
  await stackContainers(namespace).copy('caddy', madeByCaddy, file);
  return file;
}
