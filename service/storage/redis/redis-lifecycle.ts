import { randomUUID } from 'node:crypto';
import type { Caller, ConversationChanges, NewConversation, NewFork } from '../../conversation/conversation.ts';
import type {
  Continued,
  ConversationLifecycle,
  ConversationList,
  Created,
  ListRequest,
  Stored,
} from '../../conversation/conversation-lifecycle.ts';
import type { CleanedUp, ConversationUpkeep, Erased, Stats } from '../../conversation/conversation-upkeep.ts';
import { IdempotencyKeyUsed, SeqConflict } from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import type { RedisConnection } from './redis-connection.ts';
import { ownerText, RedisRecord, storedOf, textsOfConversation } from './redis-record.ts';
import { RedisScript } from './redis-script.ts';
import * as scripts from './redis-store-scripts.ts';

const create = new RedisScript(scripts.create);
const continueOrCreate = new RedisScript(scripts.continueOrCreate);
const list = new RedisScript(scripts.list);
const update = new RedisScript(scripts.update);
const clear = new RedisScript(scripts.clear);
const extend = new RedisScript(scripts.extend);
const fork = new RedisScript(scripts.fork);
const remove = new RedisScript(scripts.remove);
const undelete = new RedisScript(scripts.undelete);
const stats = new RedisScript(scripts.stats);
const cleanUp = new RedisScript(scripts.cleanUp);
const erase = new RedisScript(scripts.erase);

const server: Caller = { kind: 'server' };

/** The life of conversations whose record is Redis: one script for each method, but for erasing. */
export class RedisLifecycle implements ConversationLifecycle, ConversationUpkeep {
  protected readonly record: RedisRecord;

  constructor(redis: RedisConnection) {
    this.record = new RedisRecord(redis);
  }

  async create(
    caller: Caller,
    given: NewConversation,
    ttlSeconds: number,
    id: string = randomUUID(),
  ): Promise<Created> {
    const [status, ...answer] = await this.record.run(create, id, caller, begins(given, ttlSeconds));
    if (status === 'ended') throw new IdempotencyKeyUsed();
    return { ...storedOf(answer), created: status === 'created' };
  }

  async continueOrCreate(
    caller: Caller,
    continuationId: string | undefined,
    given: NewConversation,
    ttlSeconds: number,
  ): Promise<Continued> {
    const args = [...begins(given, ttlSeconds), continuationId ?? ''];
    const [status, ...answer] = await this.record.run(continueOrCreate, randomUUID(), caller, args);
    const reason = status === 'unknown' || status === 'expired' || status === 'none' ? status : null;
    return { ...storedOf(answer), reason };
  }

  async list(caller: Caller, { owner, limit, after }: ListRequest): Promise<ConversationList> {
    // Nobody else's list: what a user asks for is what a user owns.
    const whose = ownerText(caller.kind === 'user' ? caller : owner);
    const behind = after === undefined ? ['+inf', ''] : [Date.parse(after.created_at), after.id];
    const [, ...texts] = await this.record.run(list, '', caller, [whose, limit + 1, ...behind]);
    const conversations = [];
    for (let at = 0; at < texts.length; at += textsOfConversation) {
      conversations.push(storedOf(texts.slice(at, at + textsOfConversation)).conversation);
    }
    return { tier: 'redis', conversations: conversations.slice(0, limit), has_more: conversations.length > limit };
  }

  update(caller: Caller, id: string, { title, metadata }: ConversationChanges): Promise<Stored> {
    return this.#change(update, caller, id, [jsonOrNothing(title), jsonOrNothing(metadata)]);
  }

  clear(caller: Caller, id: string): Promise<Stored> {
    return this.#change(clear, caller, id, []);
  }

  extend(caller: Caller, id: string, ttlSeconds: number | null): Promise<Stored> {
    return this.#change(extend, caller, id, [ttlSeconds ?? '']);
  }

  async fork(caller: Caller, id: string, { seq, title }: NewFork): Promise<Stored> {
    const args = [randomUUID(), randomUUID(), Date.now(), jsonOrNothing(title), seq ?? ''];
    const [status, ...answer] = await this.record.run(fork, id, caller, args);
    if (status === 'conflict') throw new SeqConflict(Number(answer[0]), []);
    return storedOf(answer);
  }

  delete(caller: Caller, id: string): Promise<Stored> {
    return this.#change(remove, caller, id, []);
  }

  undelete(caller: Caller, id: string): Promise<Stored> {
    return this.#change(undelete, caller, id, [limits.undeleteSeconds * 1000]);
  }

  async stats(caller: Caller): Promise<Stats> {
    const [, conversations, messages, expired] = await this.record.run(stats, '', caller);
    return {
      tier: 'redis',
      total_conversations: Number(conversations),
      total_messages: Number(messages),
      expired_conversations: Number(expired),
    };
  }

  async cleanUp(): Promise<CleanedUp> {
    const args = [limits.removedAtOnce, limits.expiredSeconds * 1000, limits.undeleteSeconds * 1000];
    const [, count, ...removed] = await this.record.run(cleanUp, '', server, args);
    const expired = Number(count);
    const rest = removed.length < limits.removedAtOnce ? 'none' : 'more';
    return { tier: 'redis', removed, expired, deleted: removed.length - expired, rest };
  }

  async eraseUser(caller: Caller, userId: string): Promise<Erased> {
    for (let conversations = 0; ; ) {
      const [, count] = await this.record.run(erase, '', caller, [ownerText(userId), limits.removedAtOnce]);
      if (Number(count) === 0) return { tier: 'redis', conversations };
      conversations += Number(count);
    }
  }

  async #change(script: RedisScript, caller: Caller, id: string, args: (string | number)[]): Promise<Stored> {
    const [, ...answer] = await this.record.run(script, id, caller, args);
    return storedOf(answer);
  }
}

/** What a script begins a conversation with. */
function begins({ title, metadata }: NewConversation, ttlSeconds: number): (string | number)[] {
  return [randomUUID(), Date.now(), JSON.stringify(title), JSON.stringify(metadata), ttlSeconds];
}

function jsonOrNothing(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value);
}
