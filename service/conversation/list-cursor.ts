import { z } from 'zod';
import type { ListPosition } from './conversation-lifecycle.ts';

const position = z.tuple([z.iso.datetime({ offset: true }), z.guid()]);

/** A position as it is given to clients, who are to make nothing of it. */
export function encodeCursor({ created_at, id }: ListPosition): string {
  return Buffer.from(JSON.stringify([created_at, id])).toString('base64url');
}

/** Undefined for what was never given to anybody. */
export function decodeCursor(cursor: string): ListPosition | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined; // no JSON: no cursor
  }
  const found = position.safeParse(value).data;
  return found && { created_at: found[0], id: found[1] };
}
