import { describe, expect, it } from 'vitest';
import type { Caller } from '../../../service/conversation/conversation.ts';
import { supabaseError } from '../../../service/storage/supabase/supabase-error.ts';

const user: Caller = { kind: 'user', id: 'u', token: 't' };
const server: Caller = { kind: 'server' };
const failed = (status: number, code: string, message = 'said so', caller: Caller = server) =>
  supabaseError({ status, data: null, error: { code, message } }, caller);

describe('a failed call to Supabase', () => {
  it.each<[string, ReturnType<typeof failed>, string]>([
    ['without an answer: the record is away', failed(0, '', 'fetch failed'), 'record_unavailable'],
    ['with a 503: the record is away', failed(503, 'PGRST001'), 'record_unavailable'],
    ['cancelled by the database: the record is away', failed(500, '57014'), 'record_unavailable'],
    ['for the server’s key: the record is away', failed(401, 'PGRST301'), 'record_unavailable'],
    ['without the functions: the record is away', failed(404, 'PGRST202'), 'record_unavailable'],
    ['for a user’s token: the user has to sign in', failed(401, 'PGRST303', 'JWT expired', user), 'unauthorized'],
    ['for a user who is gone: the user has to sign in', failed(409, '23503', 'violates', user), 'unauthorized'],
    [
      'for the size of a message',
      failed(400, '23514', 'violates check constraint "messages_size_check"'),
      'message_too_large',
    ],
    ['for another constraint', failed(400, '23514', 'violates check constraint "x"'), 'refused_by_record'],
    ['for a value', failed(400, '22P05'), 'refused_by_record'],
  ])('%s', (_what, error, code) => {
    expect(error.code).toBe(code);
  });

  it('has the reason as its cause, but never a value', () => {
    expect(failed(503, 'PGRST001', 'no connection').cause).toMatchObject({ message: '503 PGRST001: no connection' });
    expect(String(failed(400, '22P02', 'invalid input syntax for type uuid: "canary"').cause)).not.toContain('canary');
  });
});
