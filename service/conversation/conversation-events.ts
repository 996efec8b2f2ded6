import { z } from 'zod';

/**
 * Something has happened to a conversation: messages up to `last_seq` are there, or what it is called, holds or lives by
 * is another. A hint, not the news itself: whoever hears it reads. It may come twice, late, or for nothing.
 */
export const conversationEvent = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('appended'), conversation_id: z.guid(), last_seq: z.int().min(0) }),
  z.object({ kind: z.enum(['changed', 'deleted', 'cleared']), conversation_id: z.guid() }),
]);
export type ConversationEvent = z.output<typeof conversationEvent>;

/** Tells every process of the box what has happened to a conversation. */
export interface ConversationEvents {
  /** Returns at once, and never throws. */
  publish(event: ConversationEvent): void;
  /** Calls the listener, which must not throw, for every event of that conversation until what it returns is called. */
  subscribe(conversationId: string, listener: (event: ConversationEvent) => void): () => void;
}
