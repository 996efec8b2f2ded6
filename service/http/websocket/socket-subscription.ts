import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { Caller, Conversation } from '../../conversation/conversation.ts';
import type { ConversationEvent, ConversationEvents } from '../../conversation/conversation-events.ts';
import type { ConversationService } from '../../conversation/conversation-service.ts';
import type { ThreadRead } from '../../conversation/conversation-store.ts';
import {
  CallerGone,
  CallerRefused,
  ConversationError,
  ConversationNotFound,
  RecordUnavailable,
} from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import type { SocketLimits } from './socket-limits.ts';
import { closeCodes, type ServerMessage } from './socket-messages.ts';
import type { SocketOutlet } from './socket-outlet.ts';

export interface SubscriptionParts {
  readonly conversationId: string;
  /** The last seq that the client has; undefined: it wants what comes from now on. */
  readonly after: number | undefined;
  readonly conversations: ConversationService;
  readonly events: ConversationEvents;
  readonly outlet: SocketOutlet;
  readonly limits: SocketLimits;
  readonly log: Logger;
  /** Whose token counts at this moment. */
  caller(): Caller;
  onEnd(): void;
}

const longestTimer = 2 ** 31 - 1;

/**
 * Sends what is in a conversation behind a seq, and whatever comes. Events only say that there may be something to read:
 * it is the read that decides what is sent, and whether the caller may still have it.
 */
export class SocketSubscription {
  readonly #parts: SubscriptionParts;
  readonly #gone = new AbortController();
  readonly #stopListening: () => void;
  #seen: number | undefined;
  #known: Conversation | undefined;
  readonly #began = Date.now();
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  #isReading = false;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.#seen = parts.after;
    // Before the first read: what comes during it is heard.
    this.#stopListening = parts.events.subscribe(parts.conversationId, (event) => this.#hear(event));
    this.#wake();
  }

  /** Nothing is sent any more. */
  end(): void {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort();
    this.#stopListening();
    clearTimeout(this.#timer);
    this.#parts.onEnd();
  }

  #hear(event: ConversationEvent): void {
    const isKnown = event.kind === 'appended' && this.#known !== undefined && event.last_seq <= (this.#seen ?? 0);
    if (!isKnown) this.#wake();
  }

  #wake(): void {
    this.#isDue = true;
    if (!this.#isReading) void this.#readOn();
  }

  async #readOn(): Promise<void> {
    this.#isReading = true;
    while (this.#isDue && !this.#gone.signal.aborted) {
      this.#isDue = false;
      // A page at a time, so that subscriptions of one socket take turns, and no page waits for a slow reader.
      await this.#parts.outlet.turn(() => this.#readPage());
      if (!this.#parts.outlet.isOpen) this.end();
    }
    this.#isReading = false;
  }

  async #readPage(): Promise<void> {
    const { conversations, conversationId } = this.#parts;
    const page = this.#seen === undefined ? { limit: 1 } : { limit: limits.messagesPerPage, after: this.#seen };
    try {
      const { signal } = this.#gone;
      if (signal.aborted) return;
      await this.#deliver(await conversations.read(this.#parts.caller(), conversationId, page, signal));
    } catch (error) {
      await this.#failed(error);
    }
  }

  async #deliver(thread: ThreadRead): Promise<void> {
    const { conversation, messages, confirmed, has_later: hasLater, expires_in_ms: expiresInMs } = thread;
    const seen = this.#known === undefined ? await this.#begin(thread) : await this.#compare(thread);
    if (seen === undefined) return;
    this.#seen = seen;
    for (const message of messages) {
      if (message.seq <= this.#seen) continue;
      await this.#write({ type: 'message', conversation_id: conversation.id, message });
      if (this.#gone.signal.aborted) return;
      this.#seen = message.seq;
    }
    if (hasLater && messages.length > 0) this.#isDue = true;
    this.#wakeIn(confirmed ? expiresInMs : this.#parts.limits.retry);
  }

  /** The first read. Returns the seq behind which messages are sent; undefined when there is no subscription yet. */
  async #begin({ conversation, confirmed, tier }: ThreadRead): Promise<number | undefined> {
    const { id: conversation_id, last_seq, cleared_seq } = conversation;
    const after = this.#seen ?? last_seq;
    if (after > last_seq && tier === 'redis' && Date.now() - this.#began < this.#parts.limits.untilKnown) {
      this.#wakeIn(this.#parts.limits.retry); // somebody has written around the service just now
      return undefined;
    }
    if (after > last_seq) {
      const [code, detail] = confirmed
        ? ['seq_conflict', `the last message is ${last_seq}: there is no ${after} to go on behind`]
        : ['record_unavailable', 'the record is away, and nothing is known of that seq: try again'];
      await this.#refuse({ code, detail, ...(confirmed ? { last_seq } : {}) });
      return undefined;
    }
    this.#known = conversation;
    const from = Math.max(after, cleared_seq);
    await this.#write({ type: 'subscribed', conversation_id, conversation, after: from });
    return from;
  }

  /** What has become of the conversation since the last read. Returns the seq behind which messages are sent. */
  async #compare({ conversation, confirmed }: ThreadRead): Promise<number> {
    const [known, seen] = [this.#known ?? conversation, this.#seen ?? 0];
    // What is known while the record is away, or of a copy, may be older than what was sent.
    if (!confirmed || Date.parse(conversation.updated_at) < Date.parse(known.updated_at)) return seen;
    this.#known = conversation;
    const { id: conversation_id, cleared_seq } = conversation;
    if (cleared_seq > known.cleared_seq) await this.#write({ type: 'cleared', conversation_id, cleared_seq });
    if (!isDeepStrictEqual(shown(conversation), shown(known))) {
      await this.#write({ type: 'changed', conversation_id, conversation });
    }
    return Math.max(seen, cleared_seq);
  }

  async #failed(error: unknown): Promise<void> {
    const { conversationId, outlet, log } = this.#parts;
    const isNew = this.#known === undefined;
    if (error instanceof CallerGone && this.#gone.signal.aborted) return;
    if (error instanceof CallerRefused) {
      outlet.close(closeCodes.authenticateAgain, 'the token is not accepted: sign in again');
    } else if (error instanceof RecordUnavailable && !isNew) {
      this.#wakeIn(this.#parts.limits.retry);
    } else if (error instanceof ConversationNotFound && !isNew) {
      await this.#write({ type: 'deleted', conversation_id: conversationId });
      this.end();
    } else if (error instanceof ConversationError) {
      await this.#refuse({ code: error.code, detail: error.message });
    } else {
      log.error({ err: error }, 'defect');
      await this.#refuse({ code: 'internal_error', detail: 'this is a defect of the service; its log has more' });
    }
  }

  async #refuse(error: { code: string; detail: string; last_seq?: number }): Promise<void> {
    await this.#write({ type: 'error', conversation_id: this.#parts.conversationId, ...error });
    this.end();
  }

  /** After the client has unsubscribed it hears nothing more. */
  async #write(message: ServerMessage): Promise<void> {
    if (!this.#gone.signal.aborted) await this.#parts.outlet.write(message);
  }

  /** That it expires is no event: at that time somebody has to look. */
  #wakeIn(milliseconds: number | null): void {
    clearTimeout(this.#timer);
    if (milliseconds === null || this.#gone.signal.aborted) return;
    this.#timer = setTimeout(() => this.#wake(), Math.min(Math.max(milliseconds, 0) + 10, longestTimer));
  }
}

/** What a client is told of when it changes, besides messages; the lifetime in ms. */
function shown({ title, metadata, accessed_at: accessed, expires_at: expires }: Conversation): unknown {
  return [title, metadata, expires === null ? null : Date.parse(expires) - Date.parse(accessed)];
}
