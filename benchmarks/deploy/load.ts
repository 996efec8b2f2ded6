import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request, WebSocket } from 'undici';
import { z } from 'zod';
import { arrivals } from './arrivals.ts';
import { compare, type Discrepancies, type StoredMessage } from './ledger.ts';
import type { Sample } from './sample.ts';
import { type Interruption, Subscriber } from './subscriber.ts';

/** Where the stack is reached: through Caddy, on loopback. */
export interface Target {
  readonly url: string;
  /** The service's secret key. */
  readonly key: string;
  /** PEM of Caddy's authority. */
  readonly authority: string;
}

/** What the load has seen, once it is over. */
export interface Outcome extends Discrepancies {
  readonly acknowledged: number;
  readonly stored: number;
  /** Reads that lacked a message which had been acknowledged before they were sent. */
  readonly stale: number;
  /** What subscribers got twice, or not at all. */
  readonly outOfTurn: number;
}

const conversations = 16;
/** Of this many requests one is an append, the others are reads. */
const appendEvery = 3;
const readLimit = 20;
/** A client that waits longer than this, in ms, has been failed. */
const patience = 30_000;
/** With so many requests under way the next ones fail unsent: what is overloaded gets no chance to recover otherwise. */
const mostUnderWay = 500;

const health = z.object({ status: z.literal('healthy') });
const created = z.object({ id: z.string() });
const appended = z.object({ messages: z.tuple([z.object({ seq: z.number().nullable() })]) });
const thread = z.object({ messages: z.array(z.object({ seq: z.number(), content: z.string() })) });
const page = thread.extend({ has_more: z.boolean(), pending: z.array(z.unknown()) });

interface Conversation {
  readonly id: string;
  readonly acknowledged: Set<string>;
  /** The last seq that an append was told. */
  lastSeq: number;
}

/** Clients of a stack: appends and reads at a fixed rate, and a subscriber for each conversation. */
export class Load {
  readonly samples: Sample[] = [];
  readonly #target: Target;
  readonly #agent: Agent;
  readonly #conversations: Conversation[] = [];
  readonly #subscribers: Subscriber[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #arriving: Promise<void> = Promise.resolve();
  #stale = 0;

  private constructor(target: Target) {
    this.#target = target;
    // As many connections as there are clients waiting: none waits for another one's.
    this.#agent = new Agent({
      connect: { ca: target.authority, timeout: patience },
      headersTimeout: patience,
      bodyTimeout: patience,
    });
  }

  /** Begins; resolves when everybody is subscribed and the first requests have been answered. */
  static async start(target: Target, perSecond: number): Promise<Load> {
    const load = new Load(target);
    try {
      await load.#begin(perSecond);
      return load;
    } catch (error) {
      await load.stop();
      throw error;
    }
  }

  get interruptions(): Interruption[] {
    return this.#subscribers.flatMap(({ interruptions }) => interruptions);
  }

  /** Waits for what is under way, and compares what was acknowledged with what is there. */
  async finish(): Promise<Outcome> {
    await this.#settle();
    const stored = new Map<string, StoredMessage[]>();
    for (const { id } of this.#conversations) stored.set(id, await eventually(() => this.#everyMessage(id)));
    await eventually(async () => this.#expectHeard(stored));
    const acknowledged = new Map(
      this.#conversations.map((conversation) => [conversation.id, conversation.acknowledged]),
    );
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    const outcome = {
      acknowledged: sum([...acknowledged.values()].map(({ size }) => size)),
      stored: sum([...stored.values()].map(({ length }) => length)),
      ...compare(acknowledged, stored),
      stale: this.#stale,
      outOfTurn: sum(this.#subscribers.map(({ outOfTurn }) => outOfTurn)),
    };
    await this.stop();
    return outcome;
  }

  async stop(): Promise<void> {
    await this.#settle();
    for (const subscriber of this.#subscribers) subscriber.stop();
    await this.#agent.destroy();
  }

  async #begin(perSecond: number): Promise<void> {
    await eventually(async () => health.parse((await this.#send('GET', '/health', undefined, 200)).body));
    for (let index = 0; index < conversations; index += 1) {
      const { body } = await this.#send('POST', '/v1/conversations', {}, 201);
      const conversation = { id: created.parse(body).id, acknowledged: new Set<string>(), lastSeq: 0 };
      this.#conversations.push(conversation);
      const subscriber = new Subscriber(() => this.#socket(), conversation.id);
      this.#subscribers.push(subscriber);
      await subscriber.start();
    }
    this.#arriving = arrivals(perSecond, this.#stop.signal, (due, index) => {
      const work = this.#arrive(due, index).finally(() => this.#underWay.delete(work));
      this.#underWay.add(work);
    });
  }

  async #settle(): Promise<void> {
    this.#stop.abort();
    await this.#arriving;
    await Promise.all(this.#underWay);
  }

  async #arrive(due: number, index: number): Promise<void> {
    const conversation = this.#conversations[Math.floor(index / appendEvery) % conversations];
    if (conversation === undefined) throw new Error('there is no conversation to write to');
    const kind = index % appendEvery === 0 ? 'append' : 'read';
    let failure: string | undefined;
    let release: string | undefined;
    try {
      if (this.#underWay.size >= mostUnderWay) throw new Error(`${mostUnderWay} requests were under way already`);
      release = kind === 'append' ? await this.#append(conversation, index) : await this.#read(conversation);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    this.samples.push({ kind, due, took: performance.now() - due, failure, release });
  }

  async #append(conversation: Conversation, index: number): Promise<string | undefined> {
    const text = `message ${index} of the load `.padEnd(200, '·');
    const message = { client_message_id: `load-${index}`, role: 'user', content: text };
    const path = `/v1/conversations/${conversation.id}/messages`;
    // 202 is an acknowledgement, too: it waits in the outbox.
    const { body, release } = await this.#send('POST', path, { messages: [message] }, 201, 202);
    const [{ seq }] = appended.parse(body).messages;
    conversation.acknowledged.add(text);
    conversation.lastSeq = Math.max(conversation.lastSeq, seq ?? 0);
    return release;
  }

  async #read(conversation: Conversation): Promise<string | undefined> {
    const known = conversation.lastSeq;
    const path = `/v1/conversations/${conversation.id}?limit=${readLimit}`;
    const { body, release } = await this.#send('GET', path, undefined, 200);
    if ((thread.parse(body).messages.at(-1)?.seq ?? 0) < known) this.#stale += 1;
    return release;
  }

  async #everyMessage(id: string): Promise<StoredMessage[]> {
    const stored: StoredMessage[] = [];
    for (;;) {
      const path = `/v1/conversations/${id}/messages?after=${stored.at(-1)?.seq ?? 0}`;
      const { messages, has_more, pending } = page.parse((await this.#send('GET', path, undefined, 200)).body);
      stored.push(...messages.map(({ seq, content }) => ({ seq, text: content })));
      if (pending.length > 0) throw new Error(`${pending.length} messages of ${id} still wait for the database`);
      if (!has_more) return stored;
    }
  }

  /** Everything that is stored arrives; what never comes is not out of turn. */
  #expectHeard(stored: ReadonlyMap<string, readonly StoredMessage[]>): void {
    const waiting = [...stored.values()].filter(({ length }, index) => (this.#subscribers[index]?.seq ?? 0) < length);
    if (waiting.length > 0) throw new Error(`${waiting.length} subscribers lack messages`);
  }

  #socket(): WebSocket {
    const address = new URL('/ws', this.#target.url);
    address.protocol = 'wss:';
    return new WebSocket(address, { dispatcher: this.#agent, headers: this.#authorization() });
  }

  #authorization(): { authorization: string } {
    return { authorization: `Bearer ${this.#target.key}` };
  }

  /** One request, sent once: a client that tries again would hide what failed. Throws unless it is answered as expected. */
  async #send(method: 'GET' | 'POST', path: string, body: object | undefined, ...expected: number[]) {
    const reply = await request(new URL(path, this.#target.url), {
      dispatcher: this.#agent,
      method,
      headers: { ...this.#authorization(), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.body.text();
    if (!expected.includes(reply.statusCode))
      throw new Error(`${method} was answered ${reply.statusCode}: ${text.slice(0, 200)}`);
    const release = reply.headers['x-release-id'];
    const answer: unknown = JSON.parse(text);
    return { body: answer, release: typeof release === 'string' ? release : undefined };
  }
}

/** What may take a moment. Rejects with the last reason when it takes longer than that. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 2 * patience;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(200);
    }
  }
}
