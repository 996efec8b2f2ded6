import type { Message } from './conversation.ts';

/** No such conversation for this caller: it is not there, is another user's, or has expired. */
export class ConversationNotFoundError extends Error {
  override readonly name = 'ConversationNotFoundError';
  constructor(id: string) {
    super(`there is no conversation ${id}`);
  }
}

/** Somebody else has appended since: `messages` are those that the caller has not seen. */
export class SequenceConflictError extends Error {
  override readonly name = 'SequenceConflictError';
  readonly lastSeq: number;
  readonly messages: readonly Message[];
  constructor(lastSeq: number, messages: readonly Message[]) {
    super(`the conversation has gone on to seq ${lastSeq}`);
    this.lastSeq = lastSeq;
    this.messages = messages;
  }
}
