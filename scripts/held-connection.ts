import { spawn } from 'node:child_process';
import { sshFailure } from '../ssh/failure.ts';
import { type SshTarget, sshCommand } from '../ssh/target.ts';

/**
 * The command of a connection that stays: what runs at its other end says when it stands, and ends, and ssh with it, as
 * soon as nobody holds its input, however the process that holds it ends.
 */
export function heldCommand(target: SshTarget, options: readonly string[]): string[] {
  return sshCommand(target, ['sh', '-c', "'echo open; exec cat'"], options);
}

/** Connects, and stays connected until `close`. Throws, in plain words, when ssh can't. */
export async function holdConnection(
  target: SshTarget,
  options: readonly string[],
): Promise<{ close(): Promise<void> }> {
  const [program = 'ssh', ...args] = heldCommand(target, options);
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
  const failure = await Promise.race([new Promise<void>((open) => child.stdout.once('data', () => open())), ended]);
  if (failure !== undefined) throw sshFailure(failure, target);
  return {
    close: async () => {
      child.kill();
      await ended;
    },
  };
}
