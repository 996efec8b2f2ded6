import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { ManagementApi } from './management-api.ts';

/** Ports of the shared pooler: a session keeps its connection at one, a transaction at the other. */
const ports = { session: 5432, transaction: 6543 };

/** Connection to the primary database through the session pooler as `postgres`, or as another role of the project. */
export async function sessionPoolerUrl(api: ManagementApi, ref: string, password: string, role?: string) {
  const pooler = await api.getPooler(ref);
  if (!pooler) throw new Error(`project ${ref} has no connection pooler for its primary database`);
  const { db_user, db_host, db_port, db_name } = pooler;
  // The pooler finds the project by what follows the role: postgres.<ref>.
  const user = role === undefined ? db_user : db_user.replace(/^[^.]+/, role);
  const port = db_port === ports.transaction ? ports.session : db_port;
  const encryption = isLoopback(db_host) ? '' : '?sslmode=require';
  const [name, secret, database] = [user, password, db_name].map(encodeURIComponent);
  return `postgres://${name}:${secret}@${db_host}:${port}/${database}${encryption}`;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** What never leaves this machine has no need to be encrypted. */
function isLoopback(host: string): boolean {
  if (isIPv4(host)) return loopback.check(host);
  return isIPv6(host) ? loopback.check(host, 'ipv6') : host === 'localhost';
}
