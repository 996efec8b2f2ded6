import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stackContainers } from './smoke/containers.ts';
import type { StackOutputs } from './stack.ts';

const madeByCaddy = '/data/caddy/pki/authorities/local/root.crt';

/**
 * Saves the certificate of Caddy's own authority, which clients of the stack have to trust, and returns the file.
 * Undefined where the certificates are public ones.
 */
export async function saveAuthority(outputs: StackOutputs): Promise<string | undefined> {
  if (outputs.certificates === 'acme') return undefined;
  const file = join('.kit', 'certificates', `${outputs.namespace}.crt`);
  await mkdir(dirname(file), { recursive: true });
  await stackContainers(outputs).copy('caddy', madeByCaddy, file);
  return file;
}
