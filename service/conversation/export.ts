import type { Caller, Conversation, Message } from './conversation.ts';
import type { ConversationService } from './conversation-service.ts';
import type { ThreadRead } from './conversation-store.ts';
import { ConversationNotFound, RecordUnavailable } from './errors.ts';
import { limits } from './limits.ts';
import { conversationLine, messageLine } from './transfer-format.ts';

type Source = Pick<ConversationService, 'read' | 'list'>;

/** A conversation was cleared or deleted while it was exported: what was sent of it is no whole. */
class ExportTorn extends Error {
  override readonly name = 'ExportTorn';

  constructor(seq: number, options?: ErrorOptions) {
    super(`the conversation was cleared or has ended while it was exported; it was sent up to seq ${seq}`, options);
  }
}

/**
 * Conversations as JSON Lines, a page at a time: each is read when the one before it was taken. The end of a conversation
 * is its last seq at the beginning. Messages that wait in the outbox are left out.
 */
export class ConversationExport {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Some lines at a time. The first ones come, or the error does, when the conversation was found. */
  async *conversation(caller: Caller, id: string, signal: AbortSignal): AsyncGenerator<string, void> {
    const first = await this.#page(caller, id, 0, signal);
    yield* this.#rest(caller, first, signal);
  }

  /**
   * All conversations of the caller, or of the user that the server names, that have not ended; newest first, each as
   * above. The first text is empty.
   */
  async *all(caller: Caller, owner: string | undefined, signal: AbortSignal): AsyncGenerator<string, void> {
    let after: Conversation | undefined;
    for (;;) {
      const request = { owner, limit: limits.conversationsPerPage, after };
      const { conversations, has_more } = await this.#source.list(caller, request, signal);
      yield '';
      for (const { id } of conversations) {
        const first = await this.#page(caller, id, 0, signal).catch(undefinedIfEnded);
        if (first !== undefined) yield* this.#rest(caller, first, signal);
      }
      after = conversations.at(-1);
      if (!has_more || after === undefined) return;
    }
  }

  async *#rest(caller: Caller, first: ThreadRead, signal: AbortSignal): AsyncGenerator<string, void> {
    const { id, cleared_seq: before, last_seq: end } = first.conversation;
    let text = conversationLine(first.conversation);
    let reached = before;
    for (let { messages } = first; ; ) {
      const wanted = messages.filter(({ seq }) => seq <= end);
      reached = follow(reached, wanted);
      yield text + wanted.map(messageLine).join('');
      if (reached >= end) return;
      if (wanted.length === 0) throw new ExportTorn(reached);
      text = '';
      const page = await this.#page(caller, id, reached, signal).catch(undefinedIfEnded);
      if (page === undefined) throw new ExportTorn(reached);
      messages = page.messages;
    }
  }

  async #page(caller: Caller, id: string, after: number, signal: AbortSignal): Promise<ThreadRead> {
    const page = await this.#source.read(caller, id, { limit: limits.messagesPerPage, after }, signal);
    if (!page.confirmed) throw new RecordUnavailable({ cause: new Error('a part of a thread is no export of it') });
    return page;
  }
}

/** The seq of the last message. Throws when one is missing. */
function follow(seq: number, messages: readonly Message[]): number {
  let last = seq;
  for (const message of messages) {
    if (message.seq !== last + 1) throw new ExportTorn(last);
    last = message.seq;
  }
  return last;
}

function undefinedIfEnded(error: unknown): undefined {
  if (!(error instanceof ConversationNotFound)) throw error;
}
