import { randomUUID } from 'node:crypto';
import type { Conversation } from '../../../../service/conversation/conversation.ts';

/** A conversation as the record tells of it; touched just now. */
export function head(changes: Partial<Conversation> = {}): Conversation {
  const now = new Date().toISOString();
  return {
    id: randomUUID(),
    user_id: null,
    continuation_id: randomUUID(),
    title: null,
    metadata: {},
    last_seq: 0,
    cleared_seq: 0,
    forked_from: null,
    created_at: now,
    updated_at: now,
    accessed_at: now,
    expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    deleted_at: null,
    ...changes,
  };
}
