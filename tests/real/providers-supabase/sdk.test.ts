import { expect, test } from 'vitest';
import { deviations } from '../../../scripts/sdk/content-lock.ts';
import { checkSdk } from '../../../scripts/sdk/supabase-sdk.ts';

test('the committed SDK is what the provider and the generator of this checkout make', async () => {
  expect(await checkSdk(), 'generate it anew: npm run sdk').toEqual([]);
});

test('a changed, a missing and a new file are each told', () => {
  expect(deviations({ a: '1', b: '2', c: '3' }, { a: '1', b: 'x', d: '4' })).toEqual([
    'b was changed',
    'c is missing',
    'd is new',
  ]);
});
