import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import {
  type Caller,
  conversation,
  type Message,
  message,
  type NamedMessage,
  type NewConversation,
  type Tier,
} from '../conversation/conversation.ts';
import type {
  Appended,
  ConversationStore,
  PageRequest,
  Probe,
  Stored,
  ThreadRead,
} from '../conversation/conversation-store.ts';
import { ClientMessageIdReused, ConversationNotFound, RecordUnavailable, SeqConflict } from '../conversation/errors.ts';
import { limits } from '../conversation/limits.ts';
import { digestOf } from './canonical-json.ts';
import { isTimeout, type RedisConnection } from './redis-connection.ts';
import { RedisScript } from './redis-script.ts';
import * as scripts from './redis-store-scripts.ts';

const create = new RedisScript(scripts.create);
const append = new RedisScript(scripts.append);
const read = new RedisScript(scripts.read);
const expire = new RedisScript(scripts.expire);

const texts = z.array(z.string());
const fixedPart = conversation.pick({
  id: true,
  user_id: true,
  continuation_id: true,
  title: true,
  metadata: true,
  created_at: true,
});
const storedPart = message.pick({ client_message_id: true, role: true, content: true, metadata: true });

const expiries = 'conversation-kit:record:expiries';
const sweepEvery = 60_000;

/** Conversations with Redis as their record: as durable as that Redis is. */
export class RedisStore implements ConversationStore {
  readonly probes: readonly Probe[];
  readonly #redis: RedisConnection;
  #swept = 0;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    this.probes = [redis.probe];
  }

  tiers(): readonly Tier[] {
    return this.#redis.readySince === undefined ? [] : ['redis'];
  }

  async create(caller: Caller, { title, metadata }: NewConversation, ttlSeconds: number): Promise<Stored> {
    await this.#sweep();
    const id = randomUUID();
    const fixed = {
      id,
      user_id: caller.kind === 'user' ? caller.id : null,
      continuation_id: randomUUID(),
      title,
      metadata,
      created_at: new Date().toISOString(),
    };
    const [, ...answer] = await this.#run(create, id, caller, [JSON.stringify(fixed), ttlSeconds]);
    return storedOf(answer);
  }

  async append(
    caller: Caller,
    id: string,
    messages: readonly NamedMessage[],
    expectedSeq: number | undefined,
  ): Promise<Appended> {
    const given = messages.flatMap((each) => [
      each.client_message_id,
      digestOf([each.role, each.content]),
      JSON.stringify(each),
    ]);
    const args = [expectedSeq ?? '', limits.messagesPerPage, limits.pageBytes, ...given];
    const [status, ...answer] = await this.#run(append, id, caller, args);
    if (status === 'reused') throw new ClientMessageIdReused(answer[0] ?? '', Number(answer[1]));
    if (status === 'conflict') {
      const [last, first, ...missed] = answer;
      throw new SeqConflict(Number(last), messagesOf(Number(first), missed));
    }
    const placed = answer.slice(6);
    const receipts = messages.map(({ client_message_id }, index) => ({
      client_message_id,
      seq: Number(placed[index * 3]),
      created_at: iso(placed[index * 3 + 1]),
      duplicate: placed[index * 3 + 2] === 'duplicate',
    }));
    return { ...storedOf(answer), durability: 'record', receipts };
  }

  async read(caller: Caller, id: string, page: PageRequest): Promise<ThreadRead> {
    const args = [page.limit, limits.pageBytes, page.before ?? '', page.after ?? ''];
    const [, ...answer] = await this.#run(read, id, caller, args);
    const stored = storedOf(answer);
    const [first, ...elements] = answer.slice(6);
    const from = Number(first);
    const lastSeq = stored.conversation.last_seq;
    return {
      ...stored,
      messages: messagesOf(from, elements),
      has_earlier: from > 1 && lastSeq > 0,
      has_later: from + elements.length <= lastSeq,
      pending: [],
      confirmed: true,
    };
  }

  async close(): Promise<void> {}

  async #run(script: RedisScript, id: string, caller: Caller, args: readonly (string | number)[]): Promise<string[]> {
    const key = `conversation-kit:record:{${id}}`;
    const who = caller.kind === 'server' ? 'server' : `user:${caller.id}`;
    let answer: unknown;
    try {
      answer = await script.run(
        this.#redis.client,
        [key, `${key}:messages`, `${key}:names`, expiries],
        [id, who, ...args],
      );
    } catch (cause) {
      if (isTimeout(cause)) this.#redis.renew();
      throw new RecordUnavailable({ cause });
    }
    const found = texts.parse(answer);
    if (found[0] === 'not_found') throw new ConversationNotFound();
    return found;
  }

  /** Takes away what has expired and was not looked at since; now and then, and not much at once. */
  async #sweep(): Promise<void> {
    if (Date.now() - this.#swept < sweepEvery || this.#redis.readySince === undefined) return;
    this.#swept = Date.now();
    try {
      const due = await this.#redis.client.zrangebyscore(expiries, '-inf', Date.now(), 'LIMIT', 0, 100);
      await Promise.all(due.map((id) => this.#expire(id)));
    } catch (cause) {
      throw new RecordUnavailable({ cause });
    }
  }

  async #expire(id: string): Promise<void> {
    const key = `conversation-kit:record:{${id}}`;
    await expire.run(this.#redis.client, [key, `${key}:messages`, `${key}:names`, expiries], [id, 'server']);
  }
}

/** From fixed, last_seq, updated, accessed, expires, expires in ms. */
function storedOf([fixed = '', lastSeq, updated, accessed, expires, expiresInMs]: readonly string[]): Stored {
  return {
    tier: 'redis',
    conversation: {
      ...fixedPart.parse(JSON.parse(fixed)),
      last_seq: Number(lastSeq),
      updated_at: iso(updated),
      accessed_at: iso(accessed),
      expires_at: iso(expires),
    },
    expires_in_ms: Number(expiresInMs),
  };
}

function messagesOf(first: number, elements: readonly string[]): Message[] {
  return elements.map((element, index) => {
    const colon = element.indexOf(':');
    const { client_message_id, ...rest } = storedPart.parse(JSON.parse(element.slice(colon + 1)));
    return { seq: first + index, client_message_id, ...rest, created_at: iso(element.slice(0, colon)) };
  });
}

function iso(milliseconds: string | undefined): string {
  return new Date(Number(milliseconds)).toISOString();
}
