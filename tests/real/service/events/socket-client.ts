import { WebSocket } from 'ws';
import { type ServerMessage, serverMessage } from '../../../../service/http/websocket/socket-messages.ts';

type Of<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

/** A client of `/ws` that keeps what it has heard, each message checked against the protocol. */
export class SocketClient {
  readonly socket: WebSocket;
  readonly heard: ServerMessage[] = [];
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  readonly #changed = new EventTarget();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.heard.push(serverMessage.parse(JSON.parse(String(data))));
      this.#changed.dispatchEvent(new Event('heard'));
    });
    this.closed = new Promise((resolve) => socket.on('close', (code) => resolve(code)));
  }

  /** Rejects with the status of a refusal: `Unexpected server response: 401`. */
  static async open(url: string, authorization: string | undefined, protocols: string[] = []): Promise<SocketClient> {
    const headers = authorization === undefined ? {} : { authorization };
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, protocols, { headers });
    const client = new SocketClient(socket);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.on('open', resolve);
    socket.on('error', reject);
    await promise;
    return client;
  }

  say(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Resolves when there is such a message, now or later. */
  async next<T extends ServerMessage['type']>(
    type: T,
    matches: (message: Of<T>) => boolean = () => true,
  ): Promise<Of<T>> {
    for (;;) {
      const all = this.heard.filter((message): message is Of<T> => message.type === type);
      const match = all.find(matches);
      if (match !== undefined) return match;
      await new Promise<void>((resolve, reject) => {
        this.#changed.addEventListener('heard', () => resolve(), { once: true });
        void this.closed.then((code) => reject(new Error(`closed with ${code} before there was a ${type}`)));
      });
    }
  }

  async subscribe(conversation_id: string, after?: number): Promise<Of<'subscribed'>> {
    this.say({ type: 'subscribe', conversation_id, ...(after === undefined ? {} : { after }) });
    return this.next('subscribed', (message) => message.conversation_id === conversation_id);
  }

  /** What was said in the conversation as it was heard here. */
  seqs(conversation_id?: string): number[] {
    return this.heard.flatMap((each) =>
      each.type === 'message' && each.conversation_id === (conversation_id ?? each.conversation_id)
        ? [each.message.seq]
        : [],
    );
  }

  async untilSeq(seq: number): Promise<void> {
    await this.next('message', (each) => each.message.seq >= seq);
  }

  async close(): Promise<number> {
    this.socket.close(1000);
    return this.closed;
  }
}
