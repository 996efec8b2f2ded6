import { expect, test } from 'vitest';
import { ArrayValue, arrayLiteral, parseArray } from '../../../embedded-supabase/database/arrays.ts';

const text = (item: unknown) => String(item);

test.each([
  ['{}', []],
  ['{a,b c}', ['a', 'b c']],
  ['{NULL,"NULL",null}', [null, 'NULL', 'null']],
  ['{"a,b","c\\"d","e\\\\f","{g}"}', ['a,b', 'c"d', 'e\\f', '{g}']],
  ['{"",x}', ['', 'x']],
  [
    '{{1,2},{3,NULL}}',
    [
      ['1', '2'],
      ['3', null],
    ],
  ],
  ['[0:1]={a,b}', ['a', 'b']],
])('%s is read', (literal, items) => {
  expect(parseArray(literal, text, ',')).toEqual(items);
});

test('elements are read by their type, and by the delimiter of boxes', () => {
  expect(parseArray('{1,2}', Number, ',')).toEqual([1, 2]);
  expect(parseArray('{(1,1),(0,0);(2,2),(0,0)}', text, ';')).toEqual(['(1,1),(0,0)', '(2,2),(0,0)']);
});

test.each([
  [[], '{}'],
  [['a', 'b c', 'd"e', 'f\\g', null, undefined, 'NULL'], '{"a","b c","d\\"e","f\\\\g",NULL,NULL,"NULL"}'],
  [[true, 1.5], '{"true","1.5"}'],
  [[new ArrayValue(['1']), new ArrayValue([null])], '{{"1"},{NULL}}'],
])('%j is written', (items, literal) => {
  expect(arrayLiteral(new ArrayValue(items), text, ',')).toBe(literal);
});

test('what is written is read back', () => {
  const items = ['', ' ', ',', '{', '}', '"', '\\', '\\"', 'NULL', null, 'ü'];
  expect(parseArray(arrayLiteral(new ArrayValue(items), text, ','), text, ',')).toEqual(items);
});

test('a text is a literal already, and in JSON an array is an array', () => {
  expect(arrayLiteral('{a,b}', text, ',')).toBe('{a,b}');
  expect(JSON.stringify({ a: new ArrayValue([1, new ArrayValue([2])]) })).toBe('{"a":[1,[2]]}');
});
