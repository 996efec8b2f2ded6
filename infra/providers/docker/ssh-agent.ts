import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { Agent, type ClientRequestArgs } from 'node:http';
import { Socket } from 'node:net';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { sshFailure } from '../../../ssh/failure.ts';
import { sshCommand } from '../../../ssh/target.ts';
import type { EngineAddress } from './engine-address.ts';

type SshAddress = Extract<EngineAddress, { kind: 'ssh' }>;

/** The command that connects standard input and output with the engine on another machine, as the Docker CLI does. */
export function dialCommand(address: SshAddress, options: readonly string[] = []): string[] {
  const socket = address.socket ? ['--host', `unix://${address.socket}`] : [];
  return sshCommand(address, ['docker', ...socket, 'system', 'dial-stdio'], options);
}

/**
 * One ssh process per connection; connections are kept for the next request. No more than eight at once: sshd drops
 * connections at random above ten that have not logged in yet (MaxStartups).
 */
export class SshAgent extends Agent {
  readonly #address: SshAddress;
  readonly #command: readonly string[];

  constructor(address: SshAddress, options?: readonly string[]) {
    super({ keepAlive: true, maxSockets: 8 });
    this.#address = address;
    this.#command = dialCommand(address, options);
  }

  override createConnection(_options: ClientRequestArgs): Duplex {
    const [program = 'ssh', ...args] = this.#command;
    return new SshConnection(spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] }), this.#address);
  }
}

class SshConnection extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #complaints = '';

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, address: SshAddress) {
    super({ allowHalfOpen: true });
    this.#child = child;
    child.stderr.on('data', (text: Buffer) => {
      this.#complaints = (this.#complaints + text.toString('utf8')).slice(-2000);
    });
    child.stdout.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) child.stdout.pause();
    });
    child.stdin.on('error', () => undefined); // the end of the process says more than EPIPE does
    child.on('error', (error) => this.destroy(sshFailure(error.message, address)));
    child.on('close', (code) => {
      if (code === 0 && this.#complaints === '') this.push(null);
      else this.destroy(sshFailure(this.#complaints || `it ended with code ${code}`, address));
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(bytes: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#child.stdin.writable) this.#child.stdin.write(bytes, encoding, () => done());
    else done();
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill();
    done(error);
  }

  // What node:http expects of a connection beyond a stream. An idle one must not keep the process alive.
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this.#hold('ref');
  }
  unref(): this {
    return this.#hold('unref');
  }

  /** Its pipes hold the process as much as the child does. */
  #hold(how: 'ref' | 'unref'): this {
    const { stdin, stdout, stderr } = this.#child;
    for (const pipe of [stdin, stdout, stderr]) if (pipe instanceof Socket) pipe[how]();
    this.#child[how]();
    return this;
  }
}
