import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request, WebSocket } from 'undici';
import { z } from 'zod';
import { Subscription } from './subscription.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Reply {
  readonly status: number;
  /** Which tier answered, from the header `x-storage-tier`. */
  readonly tier: string | undefined;
  readonly body: unknown;
}

export interface ClientSettings {
  readonly url: string;
  /** Where the box listens: the name in `url` need not resolve here. */
  readonly address: string;
  /** The way there, where the box is another machine and listens on loopback; the client closes it with itself. */
  readonly tunnel?: { readonly socketPath: string; close(): Promise<void> } | undefined;
  /** Bearer token: the service's key. */
  readonly key: string;
  /** PEM file of the certificate authority, where Caddy has one of its own. */
  readonly certificateAuthority: string | undefined;
}

const thread = z.object({
  messages: z.array(z.object({ seq: z.number(), role: z.string(), content: z.unknown() })),
  pending: z.array(z.object({ content: z.unknown() })),
});
type Thread = z.output<typeof thread>;
const health = z.object({ status: z.literal('healthy') });
const created = z.object({ id: z.string() });

/** Speaks to the service as a client would: over TLS, through Caddy. */
export class Client {
  readonly #settings: ClientSettings;
  readonly #agent: Agent;

  private constructor(settings: ClientSettings, authority: string | undefined) {
    this.#settings = settings;
    this.#agent = new Agent({
      connectTimeout: 5000,
      bodyTimeout: 15_000,
      headersTimeout: 15_000,
      connect: {
        ...(authority ? { ca: authority } : {}),
        ...(settings.tunnel ? { socketPath: settings.tunnel.socketPath } : {}),
        lookup: (_name, options, found) =>
          options.all ? found(null, [{ address: settings.address, family: 4 }]) : found(null, settings.address, 4),
      },
    });
  }

  static async open(settings: ClientSettings): Promise<Client> {
    const file = settings.certificateAuthority;
    return new Client(settings, file === undefined ? undefined : await readFile(file, 'utf8'));
  }

  async send(method: Method, path: string, body?: unknown, key = this.#settings.key): Promise<Reply> {
    const reply = await request(new URL(path, this.#settings.url), {
      method,
      dispatcher: this.#agent,
      headers: {
        ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.body.text();
    const tier = reply.headers['x-storage-tier'];
    return { status: reply.statusCode, tier: typeof tier === 'string' ? tier : undefined, body: parsed(text) };
  }

  async create(metadata: object = {}): Promise<string> {
    const reply = expectStatus(await this.send('POST', '/v1/conversations', { metadata }), 201);
    return created.parse(reply.body).id;
  }

  async append(id: string, messages: readonly object[]): Promise<Reply> {
    return this.send('POST', `/v1/conversations/${id}/messages`, { messages });
  }

  /** The messages of a conversation, those that still wait for Supabase, and the tier that they came from. */
  async read(id: string): Promise<Thread & { tier: string | undefined }> {
    const reply = expectStatus(await this.send('GET', `/v1/conversations/${id}`), 200);
    return { tier: reply.tier, ...thread.parse(reply.body) };
  }

  /** Hears the messages of a conversation behind a seq. */
  subscribe(id: string, after: number): Subscription {
    const address = new URL('/ws', this.#settings.url);
    address.protocol = 'wss:';
    const headers = { authorization: `Bearer ${this.#settings.key}` };
    return new Subscription(new WebSocket(address, { dispatcher: this.#agent, headers }), id, after);
  }

  /** Waits until the service says that it and every tier below it are well. Throws with what it said last. */
  async untilHealthy(seconds: number): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const last = await this.#health();
      if (last === 'healthy') return;
      if (Date.now() > deadline) throw new Error(`the service was not healthy within ${seconds} s: ${last}`);
      await delay(50);
    }
  }

  async #health(): Promise<string> {
    try {
      const { status, body } = await this.send('GET', '/health');
      return status === 200 && health.safeParse(body).success ? 'healthy' : `${status} ${JSON.stringify(body)}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async close(): Promise<void> {
    await this.#agent.close();
    await this.#settings.tunnel?.close();
  }
}

export function expectStatus(reply: Reply, status: number): Reply {
  if (reply.status === status) return reply;
  throw new Error(
    `the service answered ${reply.status} instead of ${status}: ${JSON.stringify(reply.body).slice(0, 500)}`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // what a proxy says in place of the service is not JSON, and is worth showing as it is
  }
}
