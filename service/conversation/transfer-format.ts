import { z } from 'zod';
import { conversation, message } from './conversation.ts';
import { limits } from './limits.ts';

/** Counted up when a line means something else than before. Lines of a newer version are refused. */
const transferVersion = 1;

/** What a file keeps of a conversation: what an import can bring back. Its owner and its times are those of the import. */
const exportedConversation = z.strictObject({
  id: z.guid(),
  continuation_id: z.guid(),
  title: z.string().min(1).max(limits.titleLength).nullable(),
  metadata: conversation.shape.metadata,
  cleared_seq: z.int().min(0).max(999_999_999),
  last_seq: z.int().min(0).max(999_999_999),
  created_at: conversation.shape.created_at,
});
export type ExportedConversation = z.output<typeof exportedConversation>;

const exportedMessage = z.strictObject({
  ...message.shape,
  client_message_id: z.string().min(1).max(limits.clientMessageIdLength),
});
export type ExportedMessage = z.output<typeof exportedMessage>;

/** A line of a file: a conversation, or a message of the conversation before it. */
export const transferLine = z.discriminatedUnion('kind', [
  z.strictObject({
    version: z.literal(transferVersion),
    kind: z.literal('conversation'),
    conversation: exportedConversation,
  }),
  z.strictObject({ version: z.literal(transferVersion), kind: z.literal('message'), message: exportedMessage }),
]);
export type TransferLine = z.output<typeof transferLine>;

const anyVersion = z.looseObject({ version: z.number() });

/** The version of a line that is newer than this service; undefined for any other line. */
export function newerVersion(line: unknown): number | undefined {
  const { data } = anyVersion.safeParse(line);
  return data !== undefined && data.version > transferVersion ? data.version : undefined;
}

export function conversationLine(of: z.output<typeof conversation>): string {
  const { id, continuation_id, title, metadata, cleared_seq, last_seq, created_at } = of;
  const kept = { id, continuation_id, title, metadata, cleared_seq, last_seq, created_at };
  return lineOf({ version: transferVersion, kind: 'conversation', conversation: kept });
}

export function messageLine(of: z.output<typeof message>): string {
  const { seq, client_message_id, role, content, metadata, created_at } = of;
  const kept = { seq, client_message_id, role, content, metadata, created_at };
  return lineOf({ version: transferVersion, kind: 'message', message: kept });
}

function lineOf(line: TransferLine): string {
  return `${JSON.stringify(line)}\n`;
}
