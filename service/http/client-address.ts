import { BlockList, isIP } from 'node:net';
import { z } from 'zod';

const privateNetworks = ['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1/128', 'fc00::/7'];

/** Networks from a comma-separated list of addresses, `address/bits`, and the word `private`. Throws for anything else. */
export function networks(list: string): BlockList {
  const found = new BlockList();
  const entries = list.split(',').map((entry) => entry.trim());
  for (const entry of entries.flatMap((name) => (name === 'private' ? privateNetworks : [name]))) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) found.addAddress(address, family);
    else found.addSubnet(address, Number(bits), family);
  }
  return found;
}

const nodeBindings = z.object({ incoming: z.object({ socket: z.object({ remoteAddress: z.string() }) }) });

/**
 * The address of the client: that of the connection, or, when a trusted proxy holds the connection, the last one in
 * `X-Forwarded-For`, which that proxy has seen itself. `bindings`: what the HTTP server gives to the app.
 */
export function clientAddress(
  bindings: unknown,
  forwardedFor: string | undefined,
  trusted: BlockList,
): string | undefined {
  const parsed = nodeBindings.safeParse(bindings);
  if (!parsed.success) return undefined;
  const peer = withoutMapping(parsed.data.incoming.socket.remoteAddress);
  const forwarded = withoutMapping(forwardedFor?.split(',').at(-1)?.trim() ?? '');
  return isIP(forwarded) !== 0 && trusted.check(peer, isIP(peer) === 6 ? 'ipv6' : 'ipv4') ? forwarded : peer;
}

/** An IPv4 address as a socket for both families writes it. */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
