import { expect, test } from 'vitest';
import { errorForLite } from '../../../embedded-supabase/database/error-codes.ts';

const report = (code: string) => Object.assign(new Error('said so'), { code, detail: 'why', hint: 'what to do' });

test.each([
  ['23514', 400],
  ['23P01', 400],
  ['P0001', 400],
  ['28000', 403],
  ['57014', 500],
  ['XX000', 500],
  ['40001', 500],
])('%s is answered with its own words and %i', (code, status) => {
  const answer = errorForLite(report(code));
  expect(answer).toMatchObject({ code: 'PGRST', cause: { code } });
  expect(JSON.parse(String(Reflect.get(Object(answer), 'message')))).toEqual({
    code,
    message: 'said so',
    details: 'why',
    hint: 'what to do',
  });
  expect(JSON.parse(String(Reflect.get(Object(answer), 'detail')))).toEqual({ status, headers: {} });
});

test.each(['42501', '22P02', '23505', '23503', '25006', 'PGRST', 'PT404'])('%s is left to lite', (code) => {
  const error = report(code);
  expect(errorForLite(error)).toBe(error);
});

test('what is no report of PostgreSQL is left to lite', () => {
  const error = new TypeError('no');
  expect(errorForLite(error)).toBe(error);
  expect(errorForLite('text')).toBe('text');
});
