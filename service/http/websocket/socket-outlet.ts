import { WebSocket } from 'ws';
import type { SocketLimits } from './socket-limits.ts';
import { closeCodes, type ServerMessage } from './socket-messages.ts';

/**
 * The way out through one socket. One piece of work at a time uses it, and a message is written when the one before it
 * has been taken by the network: however much there is to send, no more than one waits here.
 */
export class SocketOutlet {
  readonly #socket: WebSocket;
  readonly #limits: SocketLimits;
  #turns: Promise<void> = Promise.resolve();

  constructor(socket: WebSocket, limits: SocketLimits) {
    this.#socket = socket;
    this.#limits = limits;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Waits for the work before this one. `work` does not begin when the socket has closed by then; it must not throw. */
  turn(work: () => Promise<void>): Promise<void> {
    this.#turns = this.#turns.then(() => (this.isOpen ? work() : undefined));
    return this.#turns;
  }

  /** Resolves when the network has taken it, or the socket has closed. To be called in a turn. */
  async write(message: ServerMessage): Promise<void> {
    if (!this.isOpen) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const late = setTimeout(() => {
      this.close(closeCodes.slowReader, 'what is sent is not taken');
      resolve();
    }, this.#limits.untilTaken);
    this.#socket.send(JSON.stringify(message), () => resolve()); // an error means that it is closed
    await promise;
    clearTimeout(late);
  }

  /** A message by itself. */
  send(message: ServerMessage): void {
    void this.turn(() => this.write(message));
  }

  /** Tells the client why, and cuts the connection if it does not answer. */
  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#socket.close(code, reason);
    const cut = setTimeout(() => this.#socket.terminate(), this.#limits.goodbye);
    this.#socket.once('close', () => clearTimeout(cut));
  }
}
