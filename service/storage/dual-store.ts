import type {
  Caller,
  ConversationChanges,
  NamedMessage,
  NewConversation,
  NewFork,
  Tier,
} from '../conversation/conversation.ts';
import type {
  Continued,
  ConversationList,
  Created,
  ListRequest,
  Stored,
} from '../conversation/conversation-lifecycle.ts';
import {
  type Appended,
  type ConversationRecord,
  type ConversationStore,
  mayReach,
  type PageRequest,
  type Probe,
  storedMessages,
  type ThreadRead,
} from '../conversation/conversation-store.ts';
import type { CleanedUp, Erased, Stats } from '../conversation/conversation-upkeep.ts';
import { ConversationError, ConversationNotFound, RecordUnavailable } from '../conversation/errors.ts';
import { limits } from '../conversation/limits.ts';
import { pageOf, type ThreadPage } from '../conversation/thread-page.ts';
import type { HotCopies, Look } from './hot-copies/hot-copies.ts';
import type { HotCopy } from './hot-copies/hot-copy.ts';

/**
 * Hot copies in front of the record. Writes go to the record first; reads go to the copy first and bring one where
 * there is none. One call to the record for each append, and for each read that the copy alone can't answer.
 */
export class DualStore implements ConversationStore {
  readonly #record: ConversationRecord;
  readonly #hot: HotCopies;
  readonly probes: readonly Probe[];

  constructor(record: ConversationRecord, hot: HotCopies, hotProbe: Probe) {
    this.#record = record;
    this.#hot = hot;
    this.probes = [...record.probes, hotProbe];
  }

  tiers(): readonly Tier[] {
    return this.#hot.available ? ['redis', ...this.#record.tiers()] : this.#record.tiers();
  }

  async create(caller: Caller, conversation: NewConversation, ttlSeconds: number, id?: string): Promise<Created> {
    const since = Date.now();
    const stored = await this.#record.create(caller, conversation, ttlSeconds, id);
    if (stored.created) await this.#hot.begin(stored, since);
    return stored;
  }

  async continueOrCreate(
    caller: Caller,
    continuationId: string | undefined,
    conversation: NewConversation,
    ttlSeconds: number,
  ): Promise<Continued> {
    const since = Date.now();
    const stored = await this.#record.continueOrCreate(caller, continuationId, conversation, ttlSeconds);
    if (stored.reason !== null) await this.#hot.begin(stored, since);
    return stored;
  }

  list(caller: Caller, request: ListRequest, signal: AbortSignal): Promise<ConversationList> {
    return this.#record.list(caller, request, signal);
  }

  update(caller: Caller, id: string, changes: ConversationChanges): Promise<Stored> {
    return this.#write(id, () => this.#record.update(caller, id, changes));
  }

  clear(caller: Caller, id: string): Promise<Stored> {
    return this.#write(id, () => this.#record.clear(caller, id));
  }

  extend(caller: Caller, id: string, ttlSeconds: number | null): Promise<Stored> {
    return this.#write(id, () => this.#record.extend(caller, id, ttlSeconds));
  }

  /** Of the fork there is no copy before somebody reads it; that of the source still fits. */
  fork(caller: Caller, id: string, fork: NewFork): Promise<Stored> {
    return this.#record.fork(caller, id, fork);
  }

  delete(caller: Caller, id: string): Promise<Stored> {
    return this.#write(id, () => this.#record.delete(caller, id));
  }

  undelete(caller: Caller, id: string): Promise<Stored> {
    return this.#write(id, () => this.#record.undelete(caller, id));
  }

  stats(caller: Caller, signal: AbortSignal): Promise<Stats> {
    return this.#record.stats(caller, signal);
  }

  async cleanUp(): Promise<CleanedUp> {
    const cleanedUp = await this.#record.cleanUp();
    await Promise.all(cleanedUp.removed.map((id) => this.#hot.doubt(id)));
    return cleanedUp;
  }

  /** Copies go before what they are copies of: whatever ends this in the middle, what is erased is found nowhere. */
  async eraseUser(caller: Caller, userId: string): Promise<Erased> {
    const announced = new Map<string, string | undefined>();
    const erased = await this.#record.eraseUser(caller, userId, async (ids) => {
      await Promise.all(
        ids.map(async (id) => {
          announced.set(id, await this.#hot.announce(id));
          await this.#hot.doubt(id);
        }),
      );
    });
    await Promise.all([...announced].map(([id, token]) => this.#hot.doubt(id, token)));
    return erased;
  }

  async append(
    caller: Caller,
    id: string,
    messages: readonly NamedMessage[],
    expectedSeq: number | undefined,
  ): Promise<Appended> {
    const since = Date.now();
    // On its way to Redis before the record hears of the messages; nobody has to wait for it.
    const announced = this.#hot.announce(id);
    let appended: Appended;
    try {
      appended = await this.#record.append(caller, id, messages, expectedSeq);
    } catch (error) {
      const token = await announced;
      // What was announced and nobody knows the end of stays announced: the copy is served as unconfirmed at most, and goes.
      if (isRefusal(error)) await (token === undefined ? undefined : this.#hot.withdraw(id, token));
      else if (token === undefined) await this.#hot.doubt(id);
      throw error;
    }
    const token = await announced;
    const fresh = storedMessages(messages, appended.receipts);
    // Without a token Redis did not hear of it before, and readers may have put back what they had.
    await (token === undefined ? this.#hot.doubt(id) : this.#hot.extend(id, token, appended, fresh, since));
    return appended;
  }

  async read(caller: Caller, id: string, page: PageRequest, signal: AbortSignal): Promise<ThreadRead> {
    const asked = { caller, id, page, signal };
    const found = await this.#hot.look(id);
    if (typeof found === 'object') {
      const held = pageOf(found.copy.window, page);
      if (held !== undefined && found.trusted) return fromCopy(caller, found.copy, held);
      if (held !== undefined && isNewest(page)) return this.#refreshed(asked, { ...found, held });
    } else if (isNewest(page)) {
      return this.#refreshed(asked, found);
    }
    return this.#record.read(caller, id, page, signal);
  }

  close(): Promise<void> {
    return this.#record.close();
  }

  /** A write that is no append. What it makes of the thread is for the next reader to fetch. */
  async #write(id: string, work: () => Promise<Stored>): Promise<Stored> {
    const announced = this.#hot.announce(id);
    let stored: Stored;
    try {
      stored = await work();
    } catch (error) {
      const token = await announced;
      if (!isRefusal(error)) await this.#hot.doubt(id);
      else if (token !== undefined) await this.#hot.withdraw(id, token);
      throw error;
    }
    await this.#hot.doubt(id, await announced);
    return stored;
  }

  /** What the record has, with one call to it, and puts that into Redis. A copy is served when the record says that it fits. */
  async #refreshed({ caller, id, page, signal }: Asked, found: Found): Promise<ThreadRead> {
    const since = Date.now();
    const token = await this.#hot.claim(id, found === 'torn' ? 'drop' : 'keep');
    const limit = token === undefined ? page.limit : limits.messagesPerPage;
    const copy = typeof found === 'object' ? found.copy : undefined;
    const answer = await this.#record
      .readUnlessUnchanged(caller, id, limit, copy?.conversation, signal)
      .catch(async (error: unknown) => {
        if (copy !== undefined && error instanceof ConversationNotFound && mayReach(caller, copy.conversation)) {
          await this.#hot.doubt(id); // deleted in the record
        }
        if (token !== undefined) await this.#hot.withdraw(id, token);
        throw error;
      });
    if (answer.messages !== undefined) {
      if (token !== undefined) await this.#hot.fill(id, token, answer, since);
      return cut(answer, page);
    }
    if (typeof found !== 'object') throw new Error('the record left out messages that nobody knew');
    if (token !== undefined) await this.#hot.confirm(id, token, answer, since);
    return { ...answer, tier: 'redis', ...found.held, pending: [], confirmed: true };
  }
}

interface Asked {
  readonly caller: Caller;
  readonly id: string;
  readonly page: PageRequest;
  readonly signal: AbortSignal;
}

/** What Redis has for a read: a copy that holds the page but may be old, or why there is none. */
type Found = { readonly copy: HotCopy; readonly held: ThreadPage } | Exclude<Look, object>;

function fromCopy(caller: Caller, { conversation }: HotCopy, page: ThreadPage): ThreadRead {
  if (!mayReach(caller, conversation)) throw new ConversationNotFound();
  const expiresInMs = conversation.expires_at === null ? null : Date.parse(conversation.expires_at) - Date.now();
  return { tier: 'redis', conversation, expires_in_ms: expiresInMs, ...page, pending: [], confirmed: true };
}

function cut(thread: ThreadRead, page: PageRequest): ThreadRead {
  const messages = thread.messages.map((message) => ({ message, bytes: 0 }));
  const held = pageOf({ messages, hasEarlier: thread.has_earlier }, page);
  return held === undefined ? thread : { ...thread, ...held };
}

function isNewest({ before, after }: PageRequest): boolean {
  return before === undefined && after === undefined;
}

/** Whether the record said no, so that nothing was written. After everything else, nobody knows. */
function isRefusal(error: unknown): boolean {
  return error instanceof ConversationError && !(error instanceof RecordUnavailable);
}
