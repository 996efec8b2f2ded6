import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sshFailure } from '../ssh/failure.ts';
import { type SshTarget, sshCommand } from '../ssh/target.ts';

export interface Tunnel {
  /** A socket of this machine, which ends at the port over there. */
  readonly socketPath: string;
  close(): Promise<void>;
}

/**
 * The ssh command of a tunnel. A command runs at the other end instead of none (-N): it says when the tunnel stands, and
 * it ends, and ssh with it, as soon as nobody holds its input, however this process ends.
 */
export function tunnelCommand(target: SshTarget, socketPath: string, to: { address: string; port: number }): string[] {
  const host = to.address.includes(':') ? `[${to.address}]` : to.address;
  const forward = ['-o', 'ExitOnForwardFailure=yes', '-L', `${socketPath}:${host}:${to.port}`];
  return sshCommand(target, ['sh', '-c', "'echo open; exec cat'"], forward);
}

/** Opens a way to a port that is bound to the other machine's own addresses. Throws, in plain words, when ssh does. */
export async function openTunnel(target: SshTarget, to: { address: string; port: number }): Promise<Tunnel> {
  const folder = await mkdtemp(join(tmpdir(), 'conversation-kit-tunnel-'));
  const socketPath = join(folder, 'service');
  const [program = 'ssh', ...args] = tunnelCommand(target, socketPath, to);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined); // the end of the process says more than EPIPE does
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString('utf8')).slice(-2000);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(said.trim() || `ssh ended with code ${code}`));
  });
  const close = async () => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const failure = await Promise.race([new Promise<void>((open) => child.stdout.once('data', () => open())), ended]);
  if (failure === undefined) return { socketPath, close };
  await close();
  throw sshFailure(failure, target);
}
