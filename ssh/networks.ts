import { BlockList, isIP } from 'node:net';

/** Networks whose addresses are not routed on the internet: what a LAN is made of. */
export const privateNetworks = [
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16'],
  ...['fc00::/7', 'fe80::/10'],
] as const;

/** Whether an address is reached from its own machine only. */
export function isLoopback(address: string): boolean {
  return /^127\.|^::1$/.test(address);
}

/** Whether a text is a network in CIDR notation, such as 192.168.1.0/24. */
export function isNetwork(text: string): boolean {
  const [, address = '', bits = ''] = /^([^/]+)\/(\d+)$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128);
}

/** Whether an address lies in a network. Both are valid; one of IPv4 never lies in one of IPv6. */
export function isWithin(address: string, network: string): boolean {
  const [base = '', bits = ''] = network.split('/');
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIP(plain) !== isIP(base)) return false;
  const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family);
  return list.check(plain, family);
}
