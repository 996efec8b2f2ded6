import { expect, test } from 'vitest';
import { parseSize } from '../../../embedded-supabase/storage/size.ts';

test.each([
  ['50MB', 50_000_000],
  ['50MiB', 52_428_800],
  ['1.5 kib', 1536],
  ['10', 10],
  [7, 7],
  ['2GB', 2_000_000_000],
  [' 3b ', 3],
])('%s is %i bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', 'MB', '5 apples', '-5MB', '1e3', '5MB5', '0x10'])('"%s" is no size', (text) => {
  expect(parseSize(text)).toBeUndefined();
});
