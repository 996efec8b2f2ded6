import type {
  Caller,
  Conversation,
  Message,
  NamedMessage,
  PendingMessage,
  Receipt,
  Thread,
  Tier,
} from './conversation.ts';
import type { ConversationLifecycle, Stored } from './conversation-lifecycle.ts';
import type { ConversationUpkeep, Erased } from './conversation-upkeep.ts';

export type { Stored };

/** Which messages of a thread: the newest, or the newest before `before`, or the oldest after `after`. */
export interface PageRequest {
  /** 0 to `limits.messagesPerPage`. A page holds fewer where it would get larger than `limits.pageBytes`. */
  readonly limit: number;
  readonly before?: number;
  readonly after?: number;
}

export interface Appended extends Stored {
  /** `queued`: the record is away, and the messages wait in the outbox for it. */
  readonly durability: 'record' | 'queued';
  /** One for each message, in the order in which they were given. */
  readonly receipts: readonly Receipt[];
}

export interface ThreadRead extends Stored, Thread {
  /** Messages that wait in the outbox, in their order; with the newest page only. */
  readonly pending: readonly PendingMessage[];
  /** False when the record could not be asked, and this is what is known of the thread. */
  readonly confirmed: boolean;
}

/** Answers when what it is about is there, within a few seconds; throws with the reason when it is not. */
export interface Probe {
  readonly name: string;
  /** Without it the service can't do its work; without any other it is merely slower. */
  readonly required: boolean;
  answer(signal: AbortSignal): Promise<void>;
}

/**
 * Keeps conversations. All methods throw the errors of `errors.ts`, `RecordUnavailable` among them; whatever else they
 * throw is a defect. Safe for any number of callers at once, in any number of processes (but for `memory`).
 */
export interface ConversationStore extends ConversationLifecycle, ConversationUpkeep {
  /** The tiers that work at this moment, fastest first. */
  tiers(): readonly Tier[];
  readonly probes: readonly Probe[];

  /**
   * All messages or none, behind every one that was acknowledged before. One that is there already counts as appended
   * (its receipt says `duplicate`) if it says the same, else `ClientMessageIdReused`. With `expectedSeq`, `SeqConflict`
   * when another seq is the last one and there is something new to append.
   */
  append(
    caller: Caller,
    id: string,
    messages: readonly NamedMessage[],
    expectedSeq: number | undefined,
  ): Promise<Appended>;

  /** Gives up with `CallerGone` when `signal` is aborted. */
  read(caller: Caller, id: string, page: PageRequest, signal: AbortSignal): Promise<ThreadRead>;

  close(): Promise<void>;
}

/** What a copy is compared with the record by: when both are the same there, it has the same messages. */
export type Extent = Pick<Conversation, 'last_seq' | 'cleared_seq'>;

/**
 * The store that acknowledges. It can say that a copy still fits without sending all of it again, and which conversations
 * it is about to erase.
 */
export interface ConversationRecord extends ConversationStore {
  /** `read` of the newest page; but when `known` is what is there, `messages` is undefined. */
  readUnlessUnchanged(
    caller: Caller,
    id: string,
    limit: number,
    known: Extent | undefined,
    signal: AbortSignal,
  ): Promise<ThreadRead | (Stored & { readonly messages: undefined })>;

  /** Waits for `onErase` before it removes these. */
  eraseUser(
    caller: Caller,
    userId: string,
    onErase?: (conversationIds: readonly string[]) => Promise<void>,
  ): Promise<Erased>;
}

export function mayReach(caller: Caller, { user_id: owner }: Pick<Conversation, 'user_id'>): boolean {
  return caller.kind === 'server' || caller.id === owner;
}

/** Messages as they are stored once the store has said where they came to stand; without those that were there before. */
export function storedMessages(messages: readonly NamedMessage[], receipts: readonly Receipt[]): Message[] {
  const byName = new Map(messages.map((message) => [message.client_message_id, message]));
  return receipts.flatMap(({ client_message_id, seq, created_at, duplicate }) => {
    const message = byName.get(client_message_id);
    return message === undefined || duplicate || seq === null ? [] : [{ seq, ...message, created_at }];
  });
}
