import type { Caller, Message, PendingMessage } from '../conversation/conversation.ts';
import type { ConversationService } from '../conversation/conversation-service.ts';
import type { ThreadRead } from '../conversation/conversation-store.ts';
import { limits } from '../conversation/limits.ts';
import { type Answer, answerName, type ChatRequest } from './chat.ts';
import type { Upstream } from './upstream.ts';
import type { Turn } from './upstream-messages.ts';

/** A question that is stored, and who is to answer it. */
export interface Question {
  readonly caller: Caller;
  readonly conversationId: string;
  readonly clientMessageId: string;
  /** Null while it waits in the outbox. */
  readonly seq: number | null;
  /** It was there before this request. */
  readonly isRepeated: boolean;
  readonly request: ChatRequest;
  readonly upstream: Upstream;
  readonly model: string;
}

/** Pages that are looked through for an answer that others have appended behind. */
const pagesBehind = 10;

/** The answer that is there already; not if there are more than a thousand messages between the two. */
export async function storedAnswer(
  conversations: ConversationService,
  { caller, conversationId, clientMessageId, seq }: Question,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  const wanted = answerName(clientMessageId);
  const limit = limits.messagesPerPage;
  const newest = await conversations.read(caller, conversationId, { limit }, signal);
  const found = newest.messages.find((message) => message.client_message_id === wanted);
  if (found !== undefined) return found;
  const waiting = newest.pending.find((message) => message.client_message_id === wanted);
  if (waiting !== undefined) return { ...waiting, seq: null };
  const first = newest.messages[0]?.seq;
  if (seq === null || first === undefined || first <= seq + 1) return undefined;
  for (let after = seq, pages = 0; after < first - 1 && pages < pagesBehind; pages += 1) {
    const { messages } = await conversations.read(caller, conversationId, { after, limit }, signal);
    const there = messages.find((message) => message.client_message_id === wanted);
    if (there !== undefined) return there;
    after = messages.at(-1)?.seq ?? first;
  }
  return undefined;
}

/** What the model is to hear: the thread up to the question, as far as was asked for, and the question. */
export async function turnsUpTo(
  conversations: ConversationService,
  question: Question,
  signal: AbortSignal,
): Promise<readonly Turn[]> {
  const { caller, conversationId, clientMessageId, seq, request } = question;
  const asked: Turn = { role: 'user', content: request.message, metadata: {} };
  const limit = request.history_limit;
  if (!request.include_history || limit === 1) return [asked];
  let page = await conversations.read(caller, conversationId, { limit }, signal);
  const behind = page.messages.filter((message) => seq !== null && message.seq > seq).length;
  if (behind > 0 && seq !== null) {
    page = await conversations.read(caller, conversationId, { limit, before: seq + 1 }, signal);
  }
  const thread: readonly (Message | PendingMessage)[] = [...page.messages, ...page.pending];
  const at = thread.findIndex((message) => message.client_message_id === clientMessageId);
  const earlier = (at === -1 ? thread : thread.slice(0, at)).slice(1 - limit);
  const lead = await beginning(conversations, question, page, signal);
  const isThere = lead?.client_message_id === earlier[0]?.client_message_id;
  return lead?.role === 'system' && lead.seq < (seq ?? lead.seq + 1) && !isThere
    ? [lead, ...earlier, asked]
    : [...earlier, asked];
}

/** The first message of a thread: what it says to the model holds for all of it, however long it gets. */
async function beginning(
  conversations: ConversationService,
  { caller, conversationId }: Question,
  page: ThreadRead,
  signal: AbortSignal,
): Promise<Message | undefined> {
  if (!page.has_earlier) return page.messages[0];
  const { messages } = await conversations.read(caller, conversationId, { after: 0, limit: 1 }, signal);
  return messages[0];
}
