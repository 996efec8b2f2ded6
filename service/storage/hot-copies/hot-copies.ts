import { randomUUID } from 'node:crypto';
import type { Conversation, Message } from '../../conversation/conversation.ts';
import type { Stored } from '../../conversation/conversation-lifecycle.ts';
import type { ThreadRead } from '../../conversation/conversation-store.ts';
import { limits } from '../../conversation/limits.ts';
import { isTimeout, type RedisConnection } from '../redis/redis-connection.ts';
import { RedisScript } from '../redis/redis-script.ts';
import type { RecordChange } from '../supabase/record-changes.ts';
import { copyCheck } from './copy-check.ts';
import { type Decoded, decodeCopy, decodeCopyHead, encode, encodeCopy, type HotCopy } from './hot-copy.ts';
import * as scripts from './hot-copy-scripts.ts';

/** What there is of a thread. `trusted`: it needs no look at the record. `away`: Redis does not answer. */
export type Look = { readonly copy: HotCopy; readonly trusted: boolean } | Exclude<Decoded, { copy: HotCopy }> | 'away';

/**
 * Milliseconds: how long a copy is served without a look at the record, and how long it is kept, at most. That look also
 * tells the record that the conversation is read. `unwatched`: how long ago it must have been known at most that the
 * record has nothing else.
 */
export const copyTimes = { trusted: 5 * 60_000, unwatched: 2_000, kept: 24 * 3_600_000 } as const;

/** Times (ms since 1970) between which every change of the record that a copy lacked was brought to `settle`. */
export interface Watched {
  readonly since: number;
  readonly until: number;
}

const announce = new RedisScript(scripts.announce);
const withdraw = new RedisScript(scripts.withdraw);
const doubt = new RedisScript(scripts.doubt);
const extend = new RedisScript(scripts.extend);
const claim = new RedisScript(scripts.claim);
const fill = new RedisScript(scripts.fill);
const confirm = new RedisScript(scripts.confirm);

/**
 * Hot copies in Redis. No method throws because Redis is away or fails: it is a copy, so the work goes on without it,
 * and what is there is not trusted any more until it was compared with the record.
 *
 * `since` is when the caller began, before it turned to the record: what happened in Redis after that is not known to
 * be in what it brings.
 */
export class HotCopies {
  readonly #redis: RedisConnection;
  readonly #onTrouble: (error: unknown) => void;
  /** How often a look found what, since the start of the process. */
  readonly looks = { hit: 0, unconfirmed: 0, absent: 0, busy: 0, torn: 0, away: 0 };
  #distrustedBefore = 0;
  #watched: Watched = { since: Number.POSITIVE_INFINITY, until: 0 };
  #lastUsed = 0;

  constructor(redis: RedisConnection, onTrouble: (error: unknown) => void) {
    this.#redis = redis;
    this.#onTrouble = onTrouble;
  }

  get available(): boolean {
    return this.#redis.readySince !== undefined;
  }

  /** When a copy was last asked for or made (ms since 1970). */
  get lastUsed(): number {
    return this.#lastUsed;
  }

  /** How far the record is watched for changes that somebody else makes. Where it is not, copies are trusted briefly. */
  set watched(watched: Watched) {
    this.#watched = watched;
  }

  /** Drops the copy if it lacks this change. False: that can't be told yet, as somebody is writing. */
  async settle(change: RecordChange): Promise<boolean> {
    const id = change.conversation_id;
    const list = await this.#attempt(
      id,
      () => this.#redis.client.lrange(keyOf(id), 0, 1),
      (error) => (isWrongType(error) ? [] : undefined),
    );
    if (list === undefined) return true; // nothing there is trusted before it is compared
    const outcome = copyCheck(decodeCopyHead(list), change);
    if (outcome === 'drop') await this.#run(id, doubt, ['change']);
    return outcome !== 'later';
  }

  async look(id: string): Promise<Look> {
    this.#lastUsed = Date.now();
    const found = await this.#look(id);
    this.looks[typeof found === 'string' ? found : found.trusted ? 'hit' : 'unconfirmed']++;
    return found;
  }

  async #look(id: string): Promise<Look> {
    const list = await this.#attempt(
      id,
      () => this.#redis.client.lrange(keyOf(id), 0, -1),
      (error) => (isWrongType(error) ? ('torn' as const) : undefined),
    );
    if (list === undefined) return 'away';
    if (list === 'torn') return list;
    const decoded = decodeCopy(list);
    return typeof decoded === 'string' ? decoded : { ...decoded, trusted: this.#isTrusted(decoded.copy) };
  }

  /** What was known of a thread before whatever is being written to it now: for when the record can't be asked. */
  async known(id: string): Promise<HotCopy | undefined> {
    const list = await this.#attempt(
      id,
      () => this.#redis.client.lrange(keyOf(id), 0, -1),
      () => [],
    );
    const decoded = list === undefined ? 'absent' : decodeCopy(list, 'ignore');
    return typeof decoded === 'string' ? undefined : decoded.copy;
  }

  /** The right to bring a copy from the record; undefined when somebody writes at this moment, or Redis is away. */
  async claim(id: string, whatIsThere: 'keep' | 'drop'): Promise<string | undefined> {
    const token = randomUUID();
    return (await this.#run(id, claim, [token, whatIsThere])) === 'claimed' ? token : undefined;
  }

  async fill(
    id: string,
    token: string,
    { conversation, messages, has_earlier, expires_in_ms }: ThreadRead,
    since: number,
  ): Promise<void> {
    const list = encodeCopy(conversation, messages, has_earlier, since);
    await this.#run(id, fill, [token, timeToKeep(expires_in_ms), ...list]);
  }

  /** Of a conversation that is new: nobody else knows of it, so nothing needs to be claimed. */
  async begin({ conversation, expires_in_ms }: Stored, since: number): Promise<void> {
    const list = encodeCopy(conversation, [], false, since);
    await this.#run(conversation.id, fill, ['', timeToKeep(expires_in_ms), ...list]);
  }

  /** The copy fits the record. */
  async confirm(id: string, token: string, { conversation, expires_in_ms }: Stored, since: number): Promise<void> {
    await this.#run(id, confirm, [
      token,
      timeToKeep(expires_in_ms),
      since,
      conversation.last_seq,
      encode(conversation),
    ]);
  }

  /** Says that the thread is about to be written; undefined when Redis did not take note of it. */
  async announce(id: string): Promise<string | undefined> {
    const token = randomUUID();
    return (await this.#run(id, announce, [token])) === 'announced' ? token : undefined;
  }

  /** What was announced was written: `messages` are those that are new, `stored` is the conversation after them. */
  async extend(id: string, token: string, stored: Stored, messages: readonly Message[], since: number): Promise<void> {
    const { conversation, expires_in_ms } = stored;
    await this.#run(id, extend, [
      token,
      since,
      timeToKeep(expires_in_ms),
      limits.messagesPerPage,
      limits.pageBytes,
      conversation.last_seq,
      encode(conversation),
      ...messages.map(encode),
    ]);
  }

  /** Nothing was written, or nothing will be filled in. */
  async withdraw(id: string, token: string): Promise<void> {
    await this.#run(id, withdraw, [token]);
  }

  /**
   * The copy goes. Without a token it is not known what was written, or what others made of it, and nobody may put one
   * back for now; with one, what was announced was written.
   */
  async doubt(id: string, token?: string): Promise<void> {
    await this.#run(id, doubt, [token ?? '']);
  }

  #isTrusted({ checked, conversation }: HotCopy): boolean {
    const now = Date.now();
    const from = Math.max(this.#redis.readySince ?? now, this.#distrustedBefore, now - timeToTrust(conversation));
    const { since, until } = this.#watched;
    // What was written before the watch began is told to nobody: a copy from then has to be compared.
    const known = since === Number.POSITIVE_INFINITY ? checked : checked > since ? Math.max(checked, until) : 0;
    return checked > from && checked <= now && now - known <= copyTimes.unwatched;
  }

  #run(id: string, script: RedisScript, args: readonly (string | number)[]): Promise<unknown> {
    return this.#attempt(id, () => script.run(this.#redis.client, [keyOf(id)], args));
  }

  async #attempt<T, E = never>(
    id: string,
    work: () => Promise<T>,
    expected?: (error: unknown) => E | undefined,
  ): Promise<T | E | undefined> {
    if (!this.available) return undefined;
    try {
      return await work();
    } catch (error) {
      const outcome = expected?.(error);
      if (outcome !== undefined) return outcome;
      await this.#failed(id, error);
      return undefined;
    }
  }

  /** A step is missing from the copy of `id`, and who knows from which others. */
  async #failed(id: string, error: unknown): Promise<void> {
    this.#distrustedBefore = Date.now();
    if (!this.available) return; // the connection has told already
    this.#onTrouble(error);
    if (isTimeout(error)) {
      this.#redis.renew();
      return;
    }
    try {
      await this.#redis.client.unlink(keyOf(id)); // Redis takes that even when its memory is full
    } catch (cause) {
      this.#onTrouble(cause);
    }
  }
}

function keyOf(id: string): string {
  return `conversation-kit:hot:{${id}}`;
}

/** A small part of a short life: a conversation that is read must not expire because Redis alone knows of it. */
function timeToTrust({ accessed_at: accessed, expires_at: expires }: Conversation): number {
  if (expires === null) return copyTimes.trusted;
  return Math.min((Date.parse(expires) - Date.parse(accessed)) / 12, copyTimes.trusted);
}

function timeToKeep(expiresInMs: number | null): number {
  return Math.max(1, Math.min(expiresInMs ?? copyTimes.kept, copyTimes.kept));
}

function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('WRONGTYPE');
}
