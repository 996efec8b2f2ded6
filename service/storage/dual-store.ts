import {
  type AppendOutcome,
  isExpired,
  mayRead,
  type NewConversation,
  type NewMessage,
  type Page,
  type Tier,
} from '../conversation/conversation.ts';
import type { Call, ConversationStore, TierHealth } from '../conversation/conversation-store.ts';
import type { HotCopies } from './hot-copies.ts';

/**
 * Hot copies in front of a record. Reads: the copy, else the record, which is put back. Writes: the record first; nothing
 * is acknowledged that it has not got. Redis being away costs speed, and shows in the tier and in the health; nothing else.
 */
export class DualStore implements ConversationStore {
  readonly tiers: readonly Tier[];
  readonly #copies: HotCopies;
  readonly #record: ConversationStore;

  constructor(copies: HotCopies, record: ConversationStore) {
    this.#copies = copies;
    this.#record = record;
    this.tiers = ['redis', ...record.tiers];
  }

  create(call: Call, wanted: NewConversation) {
    return this.#record.create(call, wanted);
  }

  async append(call: Call, id: string, messages: readonly NewMessage[], expectedSeq: number | undefined) {
    await this.#copies.mark(id);
    let outcome: AppendOutcome | undefined;
    try {
      const appended = await this.#record.append(call, id, messages, expectedSeq);
      outcome = appended.result;
      return appended;
    } finally {
      await this.#copies.settle(id, outcome);
    }
  }

  async read(call: Call, id: string, page: Page) {
    const look = await this.#copies.look(id, page);
    // A copy that looks expired may have been extended in the record: that one is asked.
    if (look.thread && !isExpired(look.thread.conversation, Date.now())) {
      return mayRead(call.caller, look.thread.conversation)
        ? { tier: 'redis' as const, thread: look.thread }
        : undefined;
    }
    const found = await this.#record.read(call, id, page);
    if (found && 'version' in look && page.before === undefined && page.after === undefined) {
      await this.#copies.fill(found.thread, look.version);
    }
    return found;
  }

  async health(signal: AbortSignal): Promise<TierHealth[]> {
    const [copies, record] = await Promise.all([this.#copies.health(signal), this.#record.health(signal)]);
    return [copies, ...record];
  }

  async close(): Promise<void> {
    this.#copies.close();
    await this.#record.close();
  }
}
