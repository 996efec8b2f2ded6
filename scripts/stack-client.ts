import { saveAuthority } from './authority.ts';
import { Client } from './smoke/client.ts';
import type { StackOutputs } from './stack.ts';

/** A client of the stack's service, through Caddy, with the secret key. */
export async function openStackClient(outputs: StackOutputs): Promise<Client> {
  return Client.open({
    url: outputs.url,
    address: outputs.bindAddress === '0.0.0.0' ? '127.0.0.1' : outputs.bindAddress,
    key: outputs.supabaseSecretKey,
    certificateAuthority: await saveAuthority(outputs),
  });
}
