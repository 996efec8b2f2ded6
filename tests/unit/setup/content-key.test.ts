import { expect, it } from 'vitest';
import { contentKey } from '../../../scripts/setup/content-key.mjs';

it('is the same for the same parts, in whatever order they are named', () => {
  expect(contentKey({ a: '1', b: '2' })).toBe(contentKey({ b: '2', a: '1' }));
  expect(contentKey({ a: 'text' })).toBe(contentKey({ a: Buffer.from('text') }));
});

it('is another one when a part, its name, or the border between two changes', () => {
  const keys = [{ a: '1', b: '2' }, { a: '1', b: '3' }, { a: '1', c: '2' }, { a: '12' }, { a: '1' }, { ab: '2' }];
  expect(new Set(keys.map(contentKey)).size).toBe(keys.length);
});
