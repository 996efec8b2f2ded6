import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';
import { z } from 'zod';

export interface StackAddress {
  readonly url: string;
  /** Bearer token: the service's key. */
  readonly key: string;
  /** PEM of the authority of Caddy's certificate. */
  readonly authority: string;
}

const created = z.object({ id: z.string() });
const socketMessage = z.looseObject({ type: z.string(), message: z.object({ seq: z.number() }).optional() });
const closeOfRestart = 1012;

/** What clients of a stack do all the time, over TLS and through Caddy: write, read, and listen on a WebSocket. */
export class ClientLoad {
  /** Of the conversation that all of them are at. */
  readonly conversation: string;
  /** The release that answered, request by request, in the order in which they were begun; undefined: none yet. */
  readonly answeredBy: (string | undefined)[] = [];
  /** Requests that did not get what they asked for, in words. */
  readonly failures: string[] = [];
  /** Replies of a release that the record is away, as on a machine that is far too busy: no release is to blame for them. */
  recordAway = 0;
  /** The longest that a request took, in ms. */
  slowest = 0;
  /** The seq of each message as it was heard on the WebSocket, over all its connections. */
  readonly heard: number[] = [];
  /** Of the WebSocket's connections, so far. */
  readonly closeCodes: number[] = [];
  #sent = 0;
  #isOver = false;
  #hasLeft = false;
  #socket: WebSocket | undefined;
  readonly #address: StackAddress;
  readonly #agent: Agent;
  readonly #work: Promise<unknown>;

  private constructor(address: StackAddress, conversation: string, agent: Agent, clients: number) {
    this.#address = address;
    this.conversation = conversation;
    this.#agent = agent;
    this.#work = Promise.all([this.#listen(), ...Array.from({ length: clients }, () => this.#client())]);
  }

  static async start(address: StackAddress, clients = 4): Promise<ClientLoad> {
    const agent = new Agent({ connect: { ca: address.authority } });
    const { body } = await request(`${address.url}/v1/conversations`, {
      method: 'POST',
      dispatcher: agent,
      headers: { authorization: `Bearer ${address.key}`, 'content-type': 'application/json' },
      body: '{}',
    });
    return new ClientLoad(address, created.parse(await body.json()).id, agent, clients);
  }

  /** Which releases answered. */
  get releases(): string[] {
    return [...new Set(this.answeredBy)].filter((release) => release !== undefined);
  }

  /** Resolves when another release than this one has answered. */
  async untilAnotherThan(release: string): Promise<void> {
    while (this.releases.every((each) => each === release)) await delay(20);
  }

  /** Resolves with the release that has answered a request which was begun from now on. */
  async untilAnswered(): Promise<string> {
    for (const from = this.answeredBy.length; ; await delay(20)) {
      const release = this.answeredBy.slice(from).find((each) => each !== undefined);
      if (release !== undefined) return release;
    }
  }

  /** Stops when everything that was written has been heard, or after `patience` ms. */
  async stop(patience = 20_000): Promise<void> {
    this.#isOver = true;
    const deadline = Date.now() + patience;
    while (this.heard.length < this.#sent && Date.now() < deadline) await delay(20);
    this.#hasLeft = true;
    this.#socket?.close();
    await this.#work;
    if (!this.#agent.destroyed) await this.#agent.close(); // stopped a second time, when the test has ended
  }

  async #client(): Promise<void> {
    while (!this.#isOver) {
      await this.#request('POST', '/messages');
      await this.#request('GET', '/head');
      await delay(10);
    }
  }

  async #request(method: 'GET' | 'POST', path: string): Promise<void> {
    const place = this.answeredBy.push(undefined) - 1;
    const began = performance.now();
    const message = { client_message_id: randomUUID(), role: 'user', content: 'under load' };
    try {
      const reply = await request(`${this.#address.url}/v1/conversations/${this.conversation}${path}`, {
        method,
        dispatcher: this.#agent,
        headers: { authorization: `Bearer ${this.#address.key}`, 'content-type': 'application/json' },
        ...(method === 'POST' ? { body: JSON.stringify({ messages: [message] }) } : {}),
      });
      const text = await reply.body.text();
      this.answeredBy[place] = String(reply.headers['x-release-id']);
      if (reply.statusCode === 503 && text.includes('"record_unavailable"')) this.recordAway += 1;
      else if (reply.statusCode >= 300) this.failures.push(`${method} ${path}: ${reply.statusCode} ${text}`);
      else if (method === 'POST') this.#sent += 1;
    } catch (error) {
      this.failures.push(`${method} ${path}: ${String(error)}`);
    }
    this.slowest = Math.max(this.slowest, performance.now() - began);
  }

  /** As a client is told to: when it is closed, it connects again, behind what it has. */
  async #listen(): Promise<void> {
    while (!this.#hasLeft) {
      const code = await this.#connection();
      this.closeCodes.push(code);
      if (code !== closeOfRestart && !this.#hasLeft) this.failures.push(`the WebSocket was closed with ${code}`);
    }
  }

  #connection(): Promise<number> {
    const { url, key, authority } = this.#address;
    const headers = { authorization: `Bearer ${key}` };
    const socket = new WebSocket(`${url.replace('https', 'wss')}/ws`, { headers, ca: authority });
    this.#socket = socket;
    socket.on('open', () => {
      const after = this.heard.at(-1) ?? 0;
      socket.send(JSON.stringify({ type: 'subscribe', conversation_id: this.conversation, after }));
    });
    socket.on('message', (data) => {
      const { message } = socketMessage.parse(JSON.parse(String(data)));
      if (message !== undefined) this.heard.push(message.seq);
    });
    socket.on('error', (error) => this.failures.push(`the WebSocket failed: ${String(error)}`));
    return new Promise((resolve) => socket.on('close', resolve));
  }
}

/** Asks for an answer as a stream of events, and resolves with all of them: event and data. */
export async function chatEvents({ url, key, authority }: StackAddress): Promise<[event: string, data: unknown][]> {
  const agent = new Agent({ connect: { ca: authority } });
  try {
    const { body } = await request(`${url}/v1/chat`, {
      method: 'POST',
      dispatcher: agent,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ message: 'Tell me a long story.', stream: true }),
    });
    const events: [string, unknown][] = [];
    const texts = ReadableStream.from(body).pipeThrough(new TextDecoderStream());
    for await (const { event = '', data } of texts.pipeThrough(new EventSourceParserStream()))
      events.push([event, JSON.parse(data)]);
    return events;
  } finally {
    await agent.close();
  }
}
