import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SshTarget } from '../ssh/target.ts';
import { holdConnection } from './held-connection.ts';

export interface Tunnel {
  /** A socket of this machine, which ends at the port over there. */
  readonly socketPath: string;
  close(): Promise<void>;
}

/** Arguments of ssh for a way from a socket here to a port there. */
export function forward(socketPath: string, { address, port }: { address: string; port: number }): string[] {
  const host = address.includes(':') ? `[${address}]` : address;
  return ['-o', 'ExitOnForwardFailure=yes', '-L', `${socketPath}:${host}:${port}`];
}

/** Opens a way to a port that is bound to the other machine's own addresses. Throws, in plain words, when ssh can't. */
export async function openTunnel(target: SshTarget, to: { address: string; port: number }): Promise<Tunnel> {
  const folder = await mkdtemp(join(tmpdir(), 'conversation-kit-tunnel-'));
  const socketPath = join(folder, 'service');
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  try {
    const connection = await holdConnection(target, forward(socketPath, to));
    return { socketPath, close: () => connection.close().then(removeFolder) };
  } catch (error) {
    await removeFolder();
    throw error;
  }
}
