import { z } from 'zod';
import { pendingMessage } from './conversation.ts';

const timestamp = z.iso.datetime();

/** What the record did not take when it was replayed. It stays until somebody has it retried, or discards it. */
export const refusedEntry = z.object({
  id: z.int(),
  conversation_id: z.guid(),
  user_id: z.guid().nullable(),
  /** Why: `conversation_not_found`, `user_not_found`, `client_message_id_reused`, `refused_by_record` … */
  code: z.string(),
  /** The conversation itself was begun while the record was away, and was refused with its messages. */
  is_new: z.boolean(),
  message_count: z.int(),
  acknowledged_at: timestamp,
  refused_at: timestamp,
  /** What was said; only when it is asked for. */
  messages: z.array(pendingMessage).optional(),
});
export type RefusedEntry = z.output<typeof refusedEntry>;

export const outboxReport = z.object({
  /** Messages, and conversations that they are of or that wait themselves. */
  waiting: z.object({ messages: z.int(), conversations: z.int(), oldest_at: timestamp.nullable() }),
  /** Whether the record is there, by the last look. */
  record: z.enum(['there', 'away']),
  refused: z.array(refusedEntry),
});
export type OutboxReport = z.output<typeof outboxReport>;

/** What the server itself can see and do about the outbox. */
export interface OutboxControl {
  report(withMessages: boolean): OutboxReport;

  /** Queues it again, behind what waits. Resolves with false when there is no such entry. */
  retry(id: number): Promise<boolean>;

  /** Removes it for good. Resolves with false when there is no such entry. */
  discard(id: number): Promise<boolean>;
}
