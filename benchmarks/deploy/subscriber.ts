import { setTimeout as delay } from 'node:timers/promises';
import type { WebSocket } from 'undici';
import { z } from 'zod';

/** A subscription that was cut, and went on. Milliseconds, on the clock of `performance.now()`. */
export interface Interruption {
  readonly closed: number;
  /** 1012 is what the service says when it stops; 1006 is said by nobody: the connection was gone. */
  readonly code: number;
  /** When the subscription was there again; undefined: it was not, until the end. */
  resumed: number | undefined;
  /** Connections that were refused meanwhile. */
  refused: number;
}

const event = z.looseObject({
  type: z.string(),
  message: z.looseObject({ seq: z.number() }).optional(),
});

/** Milliseconds until a client that was refused tries again. */
const pause = 50;

/** A client that hears one conversation, connects again as soon as it is cut, and goes on behind what it has. */
export class Subscriber {
  readonly interruptions: Interruption[] = [];
  /** Messages that came out of turn: twice, or with one before them left out. */
  outOfTurn = 0;
  /** The last message that it has. */
  seq = 0;
  readonly #open: () => WebSocket;
  readonly #conversation: string;
  #socket: WebSocket | undefined;
  #stopped = false;

  constructor(open: () => WebSocket, conversation: string) {
    this.#open = open;
    this.#conversation = conversation;
  }

  /** Resolves when it is subscribed for the first time. */
  start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#connect(resolve, (code) => reject(new Error(`the WebSocket was closed with ${code} at once`)));
    return promise;
  }

  stop(): void {
    this.#stopped = true;
    this.#socket?.close();
  }

  #connect(onSubscribed: () => void, onRefused: (code: number) => void): void {
    const socket = this.#open();
    this.#socket = socket;
    let subscribed = false;
    socket.addEventListener('open', () =>
      socket.send(JSON.stringify({ type: 'subscribe', conversation_id: this.#conversation, after: this.seq })),
    );
    socket.addEventListener('message', ({ data }) => {
      const { type, message } = event.parse(JSON.parse(String(data)));
      if (type === 'subscribed') {
        subscribed = true;
        onSubscribed();
      }
      if (message !== undefined) this.#take(message.seq);
    });
    socket.addEventListener('close', ({ code }) => {
      if (this.#stopped) return;
      if (subscribed) this.#resume(code);
      else onRefused(code);
    });
  }

  #resume(code: number): void {
    const interruption: Interruption = { closed: performance.now(), code, resumed: undefined, refused: 0 };
    this.interruptions.push(interruption);
    const again = () =>
      this.#connect(
        () => {
          interruption.resumed = performance.now();
        },
        () => {
          interruption.refused += 1;
          void delay(pause).then(() => this.#stopped || again());
        },
      );
    again();
  }

  #take(seq: number): void {
    if (seq !== this.seq + 1) this.outOfTurn += 1;
    this.seq = Math.max(seq, this.seq);
  }
}
