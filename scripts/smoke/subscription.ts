import type { WebSocket } from 'undici';
import { z } from 'zod';

const event = z.looseObject({
  type: z.string(),
  message: z.object({ seq: z.number(), content: z.unknown() }).optional(),
});
type Event = z.output<typeof event>;

/** Milliseconds until an event has to be there. */
const patience = 10_000;

/** A WebSocket on which the messages of one conversation arrive. */
export class Subscription {
  readonly #socket: WebSocket;
  readonly #arrived: Event[] = [];
  #waiting: { resolve: (event: Event) => void; reject: (error: Error) => void } | undefined;
  #ended: Error | undefined;

  constructor(socket: WebSocket, conversationId: string, after: number) {
    this.#socket = socket;
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ type: 'subscribe', conversation_id: conversationId, after }));
    });
    socket.addEventListener('message', ({ data }) => this.#take(event.parse(JSON.parse(String(data)))));
    socket.addEventListener('error', ({ message }) => this.#end(new Error(`the WebSocket failed: ${message}`)));
    socket.addEventListener('close', ({ code }) => this.#end(new Error(`the WebSocket was closed with ${code}`)));
  }

  /** The next event, in the order of their arrival. */
  async next(): Promise<Event> {
    const there = this.#arrived.shift();
    if (there !== undefined) return there;
    if (this.#ended !== undefined) throw this.#ended;
    const { promise, resolve, reject } = Promise.withResolvers<Event>();
    this.#waiting = { resolve, reject };
    const late = setTimeout(() => reject(new Error(`no event came within ${patience / 1000} s`)), patience);
    return promise.finally(() => clearTimeout(late));
  }

  close(): void {
    this.#socket.close();
  }

  #take(arrived: Event): void {
    if (this.#waiting === undefined) this.#arrived.push(arrived);
    this.#waiting?.resolve(arrived);
    this.#waiting = undefined;
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#waiting?.reject(reason);
  }
}
