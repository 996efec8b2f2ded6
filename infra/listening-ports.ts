import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Who listens on a TCP port of this machine, as far as the kernel tells us. */
export interface Listener {
  /** Process id and name; undefined where it belongs to another user and we are not root. */
  readonly process: { readonly pid: number; readonly name: string } | undefined;
}

const listenState = '0A';

/** Sockets in state LISTEN in the text of `/proc/net/tcp` or `tcp6`: port → inode. */
export function listeningInodes(table: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const line of table.split('\n').slice(1)) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    const port = local?.split(':')[1];
    if (state === listenState && port && inode) found.set(Number.parseInt(port, 16), inode);
  }
  return found;
}

/** The listeners of this machine by port. Empty where there is no `/proc` (not Linux). */
export function listeningPorts(): Map<number, Listener> {
  const inodes = new Map<number, string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const [port, inode] of listeningInodes(readIfThere(table))) inodes.set(port, inode);
  }
  const owners = socketOwners(new Set(inodes.values()));
  return new Map([...inodes].map(([port, inode]) => [port, { process: owners.get(inode) }]));
}

function socketOwners(wanted: ReadonlySet<string>): Map<string, { pid: number; name: string }> {
  const owners = new Map<string, { pid: number; name: string }>();
  for (const pid of listIfThere('/proc').filter((entry) => /^\d+$/.test(entry))) {
    for (const descriptor of listIfThere(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkIfThere(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (inode && wanted.has(inode)) {
        owners.set(inode, { pid: Number(pid), name: readIfThere(`/proc/${pid}/comm`).trim() });
      }
    }
  }
  return owners;
}

// Processes come and go while we look, and those of others are closed to us: both mean "not known".
function unlessGone<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ESRCH' || code === 'EPERM') return otherwise;
    throw error;
  }
}
const readIfThere = (path: string) => unlessGone(() => readFileSync(path, 'utf8'), '');
const listIfThere = (path: string) => unlessGone(() => readdirSync(path), []);
const linkIfThere = (path: string) => unlessGone(() => readlinkSync(path), '');
