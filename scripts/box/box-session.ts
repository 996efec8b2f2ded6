import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { SshFailure, sshFailure } from '../../ssh/failure.ts';
import { type SshTarget, sshCommand } from '../../ssh/target.ts';
import { holdConnection } from '../held-connection.ts';
import { type BoxCommand, remoteLine } from './box-command.ts';
import type { Answer } from './step.ts';

/** Exit code of ssh for its own failures. */
const sshFailed = 255;
const byKeyOnly = ['-o', 'PreferredAuthentications=publickey'];

/** One login to a box, by key, over which all commands run. */
export class BoxSession {
  readonly #target: SshTarget;
  readonly #control: string;
  readonly #end: () => Promise<void>;
  /** Whether what is to run as root needs no sudo. */
  loginIsRoot = false;

  private constructor(target: SshTarget, control: string, end: () => Promise<void>) {
    this.#target = target;
    this.#control = control;
    this.#end = end;
  }

  /** Throws, in plain words, when ssh can't log in. */
  static async open(target: SshTarget): Promise<BoxSession> {
    const folder = await mkdtemp(join(tmpdir(), 'conversation-kit-box-'));
    const removeFolder = () => rm(folder, { recursive: true, force: true });
    const control = `ControlPath=${join(folder, 'ssh')}`;
    try {
      const connection = await holdConnection(target, [...byKeyOnly, '-o', 'ControlMaster=yes', '-o', control]);
      return new BoxSession(target, control, () => connection.close().then(removeFolder));
    } catch (error) {
      await removeFolder();
      throw error;
    }
  }

  /** Runs a command. Its exit code is for the caller to judge; a failure of ssh itself is thrown. */
  run(command: BoxCommand): Promise<Answer> {
    const shared = ['-o', 'ControlMaster=no', '-o', this.#control];
    return this.#ssh(remoteLine(command, this.loginIsRoot), shared, command.input);
  }

  /**
   * Logs in anew, beside the login that is there. Throws when that does not work within 20 s: an sshd that reads its
   * settings anew takes no connections for a moment.
   */
  async proveLogin(): Promise<void> {
    const alone = [...byKeyOnly, '-o', 'ControlPath=none', '-o', 'ConnectTimeout=15'];
    const deadline = Date.now() + 20_000;
    for (;;) {
      try {
        await this.#ssh('true', alone);
        return;
      } catch (error) {
        const isMoment = error instanceof SshFailure && error.message.includes('Connection refused');
        if (!isMoment || Date.now() > deadline) throw error;
        await delay(200);
      }
    }
  }

  close(): Promise<void> {
    return this.#end();
  }

  async #ssh(line: string, options: readonly string[], input = ''): Promise<Answer> {
    const [program = 'ssh', ...args] = sshCommand(this.#target, [line], options);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.on('error', () => undefined); // the end of the command says more than EPIPE does
    child.stdin.end(input);
    const exited = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? sshFailed));
    });
    const [exitCode, stdout, stderr] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
    if (exitCode === sshFailed) throw sshFailure(stderr || 'it ended without a word', this.#target);
    return { exitCode, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
  }
}
