import type { Caller } from '../conversation/conversation.ts';
import type { Imported, ImportTarget } from '../conversation/import-target.ts';
import type { ExportedConversation, ExportedMessage } from '../conversation/transfer-format.ts';
import type { HotCopies } from './hot-copies/hot-copies.ts';

/** An import into the record behind hot copies: whatever copy there is of a conversation goes. */
export class DualImport implements ImportTarget {
  readonly #record: ImportTarget;
  readonly #hot: HotCopies;

  constructor(record: ImportTarget, hot: HotCopies) {
    this.#record = record;
    this.#hot = hot;
  }

  async importMessages(
    caller: Caller,
    owner: string | null,
    conversation: ExportedConversation,
    messages: readonly ExportedMessage[],
    ttlSeconds: number,
  ): Promise<Imported> {
    const announced = this.#hot.announce(conversation.id);
    try {
      return await this.#record.importMessages(caller, owner, conversation, messages, ttlSeconds);
    } finally {
      await announced;
      await this.#hot.doubt(conversation.id);
    }
  }
}
