import type { Message } from './conversation.ts';
import type { PageRequest } from './conversation-store.ts';
import { limits } from './limits.ts';

/** A message and its bytes as JSON. */
export interface SizedMessage {
  readonly message: Message;
  readonly bytes: number;
}

/** The newest messages of a thread, oldest first, without gap. */
export interface ThreadWindow {
  readonly messages: readonly SizedMessage[];
  /** There are messages before them. */
  readonly hasEarlier: boolean;
}

export interface ThreadPage {
  readonly messages: readonly Message[];
  readonly has_earlier: boolean;
  readonly has_later: boolean;
}

/** The page, if the window holds all of it; undefined when a part of it may lie before the window. */
export function pageOf(window: ThreadWindow, page: PageRequest): ThreadPage | undefined {
  const { messages, hasEarlier } = window;
  const { from, to } =
    page.after === undefined ? backwards(messages, page) : forwards(messages, page.after, page.limit);
  if (hasEarlier && from === 0 && !reachesBack(messages, page, to)) return undefined;
  return {
    messages: messages.slice(from, to).map(({ message }) => message),
    has_earlier: hasEarlier || from > 0,
    has_later: to < messages.length,
  };
}

/** Whether a page that begins where the window does is known to be whole. */
function reachesBack(messages: readonly SizedMessage[], page: PageRequest, to: number): boolean {
  const first = messages[0]?.message.seq;
  if (first === undefined) return false;
  if (page.after !== undefined) return page.after >= first - 1;
  // The newest page may be short: the window was cut to the size of a page. Any other has to be full.
  return page.before === undefined || to >= page.limit;
}

function backwards(messages: readonly SizedMessage[], { before, limit }: PageRequest): { from: number; to: number } {
  const to = before === undefined ? messages.length : firstIndexAfter(messages, before - 1);
  let from = to;
  for (let bytes = 0; from > 0 && to - from < limit && bytes < limits.pageBytes; from -= 1) {
    bytes += messages[from - 1]?.bytes ?? 0;
  }
  return { from, to };
}

function forwards(messages: readonly SizedMessage[], after: number, limit: number): { from: number; to: number } {
  const from = firstIndexAfter(messages, after);
  let to = from;
  for (let bytes = 0; to < messages.length && to - from < limit && bytes < limits.pageBytes; to += 1) {
    bytes += messages[to]?.bytes ?? 0;
  }
  return { from, to };
}

/** Index of the first message whose seq is above `seq`; the number of messages when there is none. */
function firstIndexAfter(messages: readonly SizedMessage[], seq: number): number {
  const first = messages[0]?.message.seq ?? 1;
  return Math.min(Math.max(seq - first + 1, 0), messages.length);
}
