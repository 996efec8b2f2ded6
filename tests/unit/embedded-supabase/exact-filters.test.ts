import { expect, test } from 'vitest';
import { withExactFilters } from '../../../embedded-supabase/database/exact-filters.ts';
import { unmark } from '../../../embedded-supabase/database/exact-values.ts';

const through = (query: string) => withExactFilters(new URL(`http://host/rest/v1/t?${query}`)).searchParams;

test.each([
  ['id=eq.9007199254740993', 'id'],
  ['label=eq.1e5', 'label'],
  ['label=neq.null', 'label'],
  ['label=not.eq.007', 'label'],
  ['label=eq.%20padded', 'label'],
  ['id=in.(9007199254740993,5)', 'id'],
  ['tags=cs.{1e5,b}', 'tags'],
  ['doc=cs.{"n":9007199254740993}', 'doc'],
  ['or=(id.eq.9007199254740993,b.is.null)', 'or'],
  ['books.or=(id.eq.9007199254740993,b.is.null)', 'books.or'],
])('%s is marked, and what it says stays', (query, name) => {
  const before = new URLSearchParams(query).get(name);
  const after = through(query).get(name);
  expect(after).not.toBe(before);
  expect(unmark(after ?? '').replaceAll('"9007199254740993"', '9007199254740993')).toBe(before);
});

test.each([
  'select=id,9007199254740993',
  'id=eq.5',
  'id=eq.0b8a4b9e-6a55-4a34-8a39-1f4a2f1c8f11',
  'at=gte.2024-01-01T00:00:00Z',
  'a=is.null',
  'a=like.*9*',
  'id=in.(5,"9007199254740993",abc)',
  'limit=10',
  'order=id.desc',
  'books.limit=10',
])('%s is left as it is', (query) => {
  expect(through(query).toString()).toBe(new URLSearchParams(query).toString());
});

test('several filters of one column all stay', () => {
  const all = through('id=gt.9007199254740993&id=lt.9007199254740999&x=eq.1').getAll('id').map(unmark);
  expect(all).toEqual(['gt.9007199254740993', 'lt.9007199254740999']);
});
