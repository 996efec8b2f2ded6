import { expect, it } from 'vitest';
import { unmarked } from '../../../service/storage/supabase/supabase-search.ts';

it.each<[string, string, [number, number][]]>([
  ['nothing', 'nothing', []],
  ['\u0002all\u0003', 'all', [[0, 3]]],
  [
    'a \u0002b\u0003 c \u0002dd\u0003',
    'a b c dd',
    [
      [2, 3],
      [6, 8],
    ],
  ],
  ['😀 \u0002é😀\u0003!', '😀 é😀!', [[3, 6]]],
  ['cut \u0002off', 'cut off', [[4, 7]]],
  ['cut \u0002', 'cut ', []],
  ['lone \u0003 end', 'lone \u0003 end', []],
])('%j', (marked, snippet, highlights) => {
  expect(unmarked(marked)).toEqual({ snippet, highlights });
});
