import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { checkHealth, getHealth, healthExit } from '../../health/check.ts';
import { smokeMark } from '../../health/smoke-mark.ts';
import type { Settings } from '../config.ts';

/** A promise was not kept. The message says which, for a person, and holds no secret. */
export class SelfTestFailed extends Error {
  override readonly name = 'SelfTestFailed';
}

/** It was acknowledged, and is not in the record. */
class Queued extends SelfTestFailed {
  override readonly name = 'SelfTestFailed';
}

/** What `write` has to tell `read`; JSON is its text. */
const token = z.strictObject({ conversation: z.guid(), contents: z.array(z.string()).min(1) });
type Token = z.output<typeof token>;

type TestedSettings = Pick<Settings, 'port' | 'authentication' | 'storage'>;

const anything = z.unknown();
const created = z.object({ id: z.guid() });
const thread = z.object({
  messages: z.array(z.object({ content: z.unknown() })),
  pending: z.array(z.object({ content: z.unknown() })),
});

/**
 * Milliseconds. `patience`: until the service has to be healthy, and the record there; `leftovers`: conversations that are older were left by a test
 * that was killed.
 */
const times = {
  patience: 60_000,
  look: 100,
  again: 1_000,
  reply: 10_000,
  cleaning: 5_000,
  leftovers: 3_600_000,
} as const;

/**
 * Tries the service of the same machine as soon as it is healthy, through its own port, so that everything between a
 * request and the record takes part: what is written is in the record at once (201, not 202), and Redis has a copy. In two halves: what
 * happens to the service in between is the caller's affair.
 */
export class SelfTest {
  readonly #settings: TestedSettings;
  readonly #patience: number;

  /** `patience`: milliseconds until the service has to be healthy, and then until the record has to be there. */
  constructor(settings: TestedSettings, patience: number = times.patience) {
    this.#settings = settings;
    this.#patience = patience;
  }

  /**
   * Returns the token for `read`. What is only queued is begun anew for a while: the record may have been busy. Throws
   * {@link SelfTestFailed}.
   */
  async write(): Promise<string> {
    await this.#untilHealthy();
    for (const deadline = Date.now() + this.#patience; ; await delay(times.again)) {
      try {
        return await this.#write();
      } catch (error) {
        if (!(error instanceof Queued) || Date.now() > deadline) throw error;
      }
    }
  }

  async #write(): Promise<string> {
    const { id } = await this.#expect(201, created, 'POST', '/v1/conversations', { metadata: smokeMark });
    const contents = ['Is this release good?', 'It is.'].map((text) => `${text} ${randomUUID()}`);
    const messages = contents.map((content, index) => ({
      client_message_id: randomUUID(),
      role: index % 2 === 0 ? 'user' : 'assistant',
      content,
    }));
    await this.#expect(201, anything, 'POST', `/v1/conversations/${id}/messages`, { messages });
    await this.#readBack({ conversation: id, contents });
    return JSON.stringify({ conversation: id, contents } satisfies Token);
  }

  /** Finds everything again that `write` wrote, and removes it for good. Throws {@link SelfTestFailed}. */
  async read(text: string): Promise<void> {
    const written = tokenOf(text);
    await this.#untilHealthy();
    await this.#readBack(written);
    const path = `/v1/conversations/${written.conversation}`;
    await this.#expect(200, anything, 'DELETE', path);
    await this.#expect(404, anything, 'GET', path);
    await this.#removeForGood(written.conversation);
  }

  async #untilHealthy(): Promise<void> {
    const { port, authentication } = this.#settings;
    const endpoint = `http://127.0.0.1:${port}/health`;
    const ask = (signal: AbortSignal) => getHealth(endpoint, authentication.secretKey, signal);
    const deadline = Date.now() + this.#patience;
    for (;;) {
      const { output, exit } = await checkHealth({ endpoint, format: 'text', patience: times.reply, ask });
      if (exit === healthExit.healthy) return;
      if (Date.now() > deadline) {
        throw new SelfTestFailed(`the service was not healthy within ${this.#patience / 1000} s. ${output}`);
      }
      await delay(times.look);
    }
  }

  async #readBack({ conversation, contents }: Token): Promise<void> {
    const path = `/v1/conversations/${conversation}`;
    const look = async () => {
      const reply = await this.#ask('GET', path);
      const { messages, pending } = expected(200, thread, 'GET', path, reply);
      const found = messages.map(({ content }) => content);
      if (pending.length > 0 || JSON.stringify(found) !== JSON.stringify(contents)) {
        throw new SelfTestFailed(
          `GET ${path} has ${found.length} messages (and ${pending.length} that wait), not the ${contents.length} that were written`,
        );
      }
      return reply.tier;
    };
    // What the first look has to fetch from the record, the second one has to find in Redis.
    const tiers = [await look(), await look()];
    if (this.#settings.storage.backend === 'dual' && tiers[1] !== 'redis') {
      throw new SelfTestFailed(
        `GET ${path} was answered by ${tiers.join(', then by ')}, and not by redis: Redis is away, or keeps no hot copies`,
      );
    }
  }

  /** From the record, where a deletion can be taken back for days; what earlier tests left behind goes, too. */
  async #removeForGood(conversation: string): Promise<void> {
    const { supabase: settings } = this.#settings.storage;
    if (settings === undefined) return;
    const supabase = createClient(settings.url, settings.secretKey, { auth: { persistSession: false } });
    const { data, error } = await supabase
      .from('conversations')
      .delete()
      .eq('id', conversation)
      .select('id')
      .abortSignal(AbortSignal.timeout(times.reply));
    if (error) throw new SelfTestFailed(`the conversation could not be removed from the record: ${error.message}`);
    if (data.length !== 1) throw new SelfTestFailed(`the conversation ${conversation} was not in the record`);
    const before = new Date(Date.now() - times.leftovers).toISOString();
    const cleaning = await supabase
      .from('conversations')
      .delete()
      .is('user_id', null)
      .lt('created_at', before)
      .contains('metadata', smokeMark)
      .abortSignal(AbortSignal.timeout(times.cleaning));
    // They expire by themselves, only later.
    if (cleaning.error) console.error(`what earlier tests left could not be removed: ${cleaning.error.message}`);
  }

  async #expect<T>(status: number, schema: z.ZodType<T>, method: string, path: string, body?: object): Promise<T> {
    return expected(status, schema, method, path, await this.#ask(method, path, body));
  }

  async #ask(method: string, path: string, body?: object): Promise<Reply> {
    const { port, authentication } = this.#settings;
    try {
      const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${authentication.secretKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(times.reply),
      });
      return { status: reply.status, tier: reply.headers.get('x-storage-tier') ?? 'no tier', text: await reply.text() };
    } catch (cause) {
      throw new SelfTestFailed(`${method} ${path} got no answer: ${reasonOf(cause)}`, { cause });
    }
  }
}

interface Reply {
  readonly status: number;
  readonly tier: string;
  readonly text: string;
}

/** The body of a reply with this status and this shape. */
function expected<T>(status: number, schema: z.ZodType<T>, method: string, path: string, reply: Reply): T {
  const said = reply.text.slice(0, 500) || '(an empty body)';
  const answered = `${method} ${path} answered ${reply.status}`;
  if (reply.status === 202 && status === 201) {
    throw new Queued(
      `${answered} instead of 201, so that it waits in the outbox: Supabase is away, or does not take what this release ` +
        'sends; its log says which. A release needs the record',
    );
  }
  if (reply.status !== status) throw new SelfTestFailed(`${answered} instead of ${status}: ${said}`);
  const body = schema.safeParse(jsonOf(reply.text));
  if (body.success) return body.data;
  throw new SelfTestFailed(`${answered} with another body than expected: ${said}`);
}

function tokenOf(text: string): Token {
  const parsed = token.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new SelfTestFailed('what is to be read is not a token that "--self-test write" has printed');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // whoever asked says what was there instead
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `none within ${times.reply / 1000} s`;
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
