import { sshTarget } from '../ssh/target.ts';
import { saveAuthority } from './authority.ts';
import { Client } from './smoke/client.ts';
import { openTunnel } from './ssh-tunnel.ts';
import type { StackOutputs } from './stack.ts';

/** A client of the stack's service, through Caddy, with the secret key. Where only its box reaches it: through a tunnel. */
export async function openStackClient(outputs: StackOutputs): Promise<Client> {
  const certificateAuthority = await saveAuthority(outputs);
  const address = onBox(outputs.bindAddress);
  const box = isLoopback(address) ? sshTarget(outputs.dockerHost) : undefined;
  const tunnel = box && (await openTunnel(box, { address, port: Number(new URL(outputs.url).port || '443') }));
  return Client.open({ url: outputs.url, address, tunnel, key: outputs.supabaseSecretKey, certificateAuthority });
}

/** Where the box itself reaches what is bound to that address. */
function onBox(bindAddress: string): string {
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[bindAddress] ?? bindAddress;
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
