import type { Caller } from './conversation.ts';
import { ServerOnly } from './errors.ts';

/** Whose things a request is about: those of `named`, which only the server may choose; else the caller's (null: the server's). */
export function ownerOf(caller: Caller, named: string | undefined, what: string): string | null {
  if (caller.kind === 'server') return named ?? null;
  if (named !== undefined && named !== caller.id) throw new ServerOnly(what);
  return caller.id;
}
