import { z } from 'zod';
import { conversation } from '../conversation/conversation.ts';
import type { Stored } from '../conversation/conversation-lifecycle.ts';
import { ConversationNotFound } from '../conversation/errors.ts';
import { answeredBy, type RequestContext } from './environment.ts';

/** A conversation as it stands in replies. */
export const conversationBody = conversation.meta({ id: 'Conversation' });

export const idParameter = z.object({ id: z.uuid().meta({ description: 'The id of the conversation.' }) });

/** What is no id is the id of nothing. */
export function idOf(c: RequestContext): string {
  const id = z.guid().safeParse(c.req.param('id'));
  if (!id.success) throw new ConversationNotFound();
  return id.data.toLowerCase();
}

/** The headers that go with whatever is said of a conversation; the ETag is for `If-Match` of the next append. */
export function describe(c: RequestContext, { tier, conversation: { last_seq } }: Stored): void {
  answeredBy(c, tier);
  c.header('etag', `"${last_seq}"`);
}

/** The same, and where the conversation is that was just made. */
export function describeNew(c: RequestContext, stored: Stored): void {
  describe(c, stored);
  c.header('location', `/v1/conversations/${stored.conversation.id}`);
}
