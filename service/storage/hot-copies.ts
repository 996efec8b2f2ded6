import { createHash } from 'node:crypto';
import type { Redis, Result } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import {
  type AppendOutcome,
  conversationSchema,
  messageSchema,
  type Page,
  type Thread,
} from '../conversation/conversation.ts';
import type { TierHealth } from '../conversation/conversation-store.ts';
import * as scripts from './hot-copy-scripts.ts';
import { pageOf } from './memory-store.ts';
import { pingRedis } from './redis-connection.ts';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    hotCopyMark(copy: string, messages: string, longestAppend: number, ttl: number): Result<unknown, Context>;
    hotCopySettle(copy: string, messages: string, ...settlement: (string | number)[]): Result<unknown, Context>;
    hotCopyRead(copy: string, messages: string, count: number): Result<unknown, Context>;
    hotCopyFill(copy: string, messages: string, ...content: (string | number)[]): Result<unknown, Context>;
    hotCopyDrop(copy: string, messages: string, ttl: number): Result<unknown, Context>;
  }
}

/** The newest messages that a copy holds. */
const keptMessages = 100;
/** Milliseconds. No append lasts longer: the pool to the record gives up after 10 s. */
const longestAppend = 15_000;

/** What a look at a copy found: the page, or the version under which the record's answer may be put back. */
export type Look = { readonly thread: Thread } | { readonly thread: undefined; readonly version: string | undefined };

const found = z.tuple([z.string(), z.string()], z.string());
const versionOnly = z.tuple([z.string()]);

/**
 * Hot copies of threads in Redis. A copy says what the record says, or is not served: `hot-copy-scripts.ts` has how.
 * Redis being away is no error here: looks find nothing, and a copy that missed a change is dropped before its next use.
 */
export class HotCopies {
  readonly #redis: Redis;
  readonly #log: Logger;
  readonly #ttl: number;
  readonly #prefix: string;
  /** Conversations whose copy missed a change while Redis did not answer. */
  readonly #stale = new Set<string>();

  /**
   * @param options.ttl milliseconds that an untouched copy lives
   * @param options.boot names this run of the machine. Redis syncs its log every second: after a power cut its copies may
   *   lack the last one, so copies from before it are never looked at.
   */
  constructor(redis: Redis, options: { ttl: number; boot: string; log: Logger }) {
    this.#redis = redis;
    this.#ttl = options.ttl;
    this.#log = options.log;
    this.#prefix = `ck:thread:${createHash('sha256').update(options.boot).digest('hex').slice(0, 8)}`;
    for (const [name, lua] of Object.entries({
      hotCopyMark: scripts.mark,
      hotCopySettle: scripts.settle,
      hotCopyRead: scripts.read,
      hotCopyFill: scripts.fill,
      hotCopyDrop: scripts.drop,
    })) {
      redis.defineCommand(name, { numberOfKeys: 2, lua });
    }
  }

  /** The page, where the copy has all of it. */
  async look(id: string, page: Page): Promise<Look> {
    try {
      await this.#dropIfStale(id);
      const newest = page.before === undefined && page.after === undefined;
      const count = newest ? Math.min(page.limit, keptMessages) : keptMessages;
      const reply = await this.#redis.hotCopyRead(...this.#keys(id), count);
      const copy = found.safeParse(reply);
      if (!copy.success) return { thread: undefined, version: versionOnly.parse(reply)[0] };
      const [version, head, ...messages] = copy.data;
      const thread = pageWithin(head, messages, page);
      return thread ? { thread } : { thread: undefined, version };
    } catch (error) {
      this.#log.debug({ conversation: id, error: messageOf(error) }, 'no look at the hot copy');
      return { thread: undefined, version: undefined };
    }
  }

  /** Puts back what the record gave for the newest page, unless the copy has changed since the look. */
  async fill(thread: Thread, version: string | undefined): Promise<void> {
    const { conversation, messages } = thread;
    const isNewest = (messages.at(-1)?.seq ?? 0) === conversation.last_seq;
    if (version === undefined || !isNewest) return;
    await this.#unlessAway(conversation.id, 'fill', () =>
      this.#redis.hotCopyFill(
        ...this.#keys(conversation.id),
        version,
        this.#ttl,
        conversation.last_seq,
        JSON.stringify(conversation),
        ...messages.map((message) => JSON.stringify(message)),
      ),
    );
  }

  /** To be called before an append to the record: until it is settled, the copy is not served. */
  async mark(id: string): Promise<void> {
    await this.#noting(id, 'mark', () => this.#redis.hotCopyMark(...this.#keys(id), longestAppend, this.#ttl));
  }

  /** To be called after it, whatever became of it; `undefined` when that is not known. */
  async settle(id: string, outcome: AppendOutcome | undefined): Promise<void> {
    const settlement = outcome?.outcome === 'appended' ? extension(outcome) : nothing(outcome);
    await this.#noting(id, 'settle', () =>
      this.#redis.hotCopySettle(...this.#keys(id), settlement.kind, this.#ttl, keptMessages, ...settlement.content),
    );
  }

  health(signal: AbortSignal): Promise<TierHealth> {
    return pingRedis(this.#redis, signal);
  }

  close(): void {
    this.#redis.disconnect();
  }

  #keys(id: string): [copy: string, messages: string] {
    return [`${this.#prefix}:{${id}}`, `${this.#prefix}:{${id}}:messages`];
  }

  async #dropIfStale(id: string): Promise<void> {
    if (!this.#stale.has(id)) return;
    await this.#redis.hotCopyDrop(...this.#keys(id), this.#ttl);
    this.#stale.delete(id);
  }

  /** Does it, and notes the copy as stale where Redis can't be reached: the copy must not be served as it is. */
  async #noting(id: string, what: string, change: () => Promise<unknown>): Promise<void> {
    if (!(await this.#unlessAway(id, what, change))) this.#stale.add(id);
  }

  async #unlessAway(id: string, what: string, change: () => Promise<unknown>): Promise<boolean> {
    try {
      await change();
      return true;
    } catch (error) {
      this.#log.debug({ conversation: id, error: messageOf(error) }, `${what} of the hot copy failed`);
      return false;
    }
  }
}

interface Settlement {
  readonly kind: 'appended' | 'nothing' | 'unknown';
  /** Previous seq, head, new messages. */
  readonly content: readonly string[];
}

function extension({
  previous_seq,
  conversation,
  messages,
}: Extract<AppendOutcome, { outcome: 'appended' }>): Settlement {
  const added = messages.filter(({ duplicate }) => !duplicate);
  const unique = [...new Map(added.map((message) => [message.seq, message])).values()];
  const texts = unique.map(({ duplicate, ...message }) => JSON.stringify(message));
  return { kind: 'appended', content: [String(previous_seq), JSON.stringify(conversation), ...texts] };
}

/** The record refused, so the copy is as good as before; or it did not say, and the copy is not. */
function nothing(outcome: AppendOutcome | undefined): Settlement {
  return { kind: outcome ? 'nothing' : 'unknown', content: [] };
}

/** The page, where these messages are in one piece up to the head's newest and have all of it; else undefined. */
function pageWithin(headText: string, texts: readonly string[], page: Page): Thread | undefined {
  const conversation = conversationSchema.safeParse(parsed(headText));
  const messages = z.array(messageSchema).safeParse(texts.map(parsed));
  if (!conversation.success || !messages.success) return undefined;
  const { last_seq } = conversation.data;
  const first = last_seq - messages.data.length + 1;
  if (!messages.data.every(({ seq }, index) => seq === first + index)) return undefined;
  const { limit, before, after } = page;
  const needed = after !== undefined ? after + 1 : (before ?? last_seq + 1) - limit;
  if (first > Math.max(1, needed)) return undefined;
  return { conversation: conversation.data, messages: pageOf(messages.data, page) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a torn copy: no schema accepts it
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
