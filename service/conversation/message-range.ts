import type { Message } from './conversation.ts';
import type { PageRequest, ThreadRead } from './conversation-store.ts';

/** Messages between two seqs, neither included, from one end of them: the oldest first (`asc`) or the newest (`desc`). */
export interface MessageRange {
  readonly after?: number;
  readonly before?: number;
  readonly limit: number;
  readonly order: 'asc' | 'desc';
}

export interface MessageList extends Omit<ThreadRead, 'has_earlier' | 'has_later'> {
  /** There are more in the range, behind the last of these. */
  readonly has_more: boolean;
}

/** The page of the thread that begins where the range does. */
export function pageOfRange({ after = 0, before, limit, order }: MessageRange): PageRequest {
  return { limit, ...(order === 'asc' ? { after } : before === undefined ? {} : { before }) };
}

/** What of that page is in the range, in its order. */
export function messagesInRange(thread: ThreadRead, range: MessageRange): MessageList {
  const { has_earlier, has_later, ...rest } = thread;
  const { after = 0, before = Number.POSITIVE_INFINITY, order } = range;
  const isIn = ({ seq }: Pick<Message, 'seq'>) => seq > after && seq < before;
  const messages = thread.messages.filter(isIn);
  if (order === 'desc') messages.reverse();
  const last = messages.at(-1)?.seq;
  const goesOn = order === 'asc' ? has_later : has_earlier;
  const next = { seq: order === 'asc' ? (last ?? 0) + 1 : (last ?? 0) - 1 };
  return { ...rest, messages, has_more: last !== undefined && goesOn && isIn(next) };
}
