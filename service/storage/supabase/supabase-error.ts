import type { Caller } from '../../conversation/conversation.ts';
import {
  CallerRefused,
  type ConversationError,
  RecordUnavailable,
  RefusedByRecord,
  TooLarge,
} from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';

/** The parts of a PostgREST answer that tell what became of a call. Status 0: there was none. */
export interface SupabaseAnswer {
  readonly status: number;
  readonly data: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/**
 * The API of Supabase said no, or nothing. `code` is PostgreSQL's SQLSTATE or PostgREST's; its `details` are left out:
 * for a constraint they quote the row, which is what somebody wrote.
 */
export class SupabaseFailure extends Error {
  override readonly name = 'SupabaseFailure';
  readonly status: number;
  readonly code: string;

  constructor({ status, error }: SupabaseAnswer) {
    const code = error?.code ?? '';
    // Errors of class 22 quote the value that they are about.
    const message = code.startsWith('22') ? 'a value that the database can not take' : (error?.message ?? '');
    super(status === 0 ? message : `${status} ${code}: ${message}`);
    this.status = status;
    this.code = code;
  }
}

/** What a failed call means to whoever made it. */
export function supabaseError(answer: SupabaseAnswer, caller: Caller): ConversationError {
  const cause = new SupabaseFailure(answer);
  const { status, code } = cause;
  if (caller.kind === 'user' && (status === 401 || status === 403)) return new CallerRefused({ cause });
  // The user that the token is for was deleted: what it owns refers to nobody.
  if (caller.kind === 'user' && code === '23503') return new CallerRefused({ cause });
  if (code === '23514' && cause.message.includes('"messages_size_check"')) {
    return new TooLarge('a message', limits.messageBytes, { cause });
  }
  if (code === '23514' || code.startsWith('22')) return new RefusedByRecord({ cause });
  return new RecordUnavailable({ cause });
}
