import { createHash } from 'node:crypto';
import type { Caller } from './conversation.ts';

/**
 * The id of the conversation that a caller creates under a key: a UUID (version 8) of both, so that the same request sent
 * again means the same conversation, and a key of one caller nothing to another.
 */
export function conversationIdOf(caller: Caller, idempotencyKey: string): string {
  const owner = caller.kind === 'user' ? `user:${caller.id}` : 'server';
  const bytes = createHash('sha256').update(`conversation-kit\n${owner}\n${idempotencyKey}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
