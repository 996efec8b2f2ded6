import { expect, it } from 'vitest';
import { compare } from '../../../benchmarks/deploy/ledger.ts';

const texts = (...values: string[]) => new Set(values);
const stored = (...values: string[]) => values.map((text, index) => ({ seq: index + 1, text }));

it('finds nothing where everything is there once, also what was never acknowledged', () => {
  const found = compare(new Map([['c', texts('a', 'b')]]), new Map([['c', stored('a', 'never acknowledged', 'b')]]));
  expect(found).toEqual({ lost: [], doubled: [], misnumbered: [] });
});

it('finds what was acknowledged and is not there', () => {
  expect(compare(new Map([['c', texts('a', 'b')]]), new Map([['c', stored('b')]])).lost).toEqual(['a']);
  expect(compare(new Map([['c', texts('a')]]), new Map()).lost).toEqual(['a']);
});

it('finds what landed in another conversation', () => {
  const acknowledged = new Map([
    ['c', texts('a')],
    ['d', texts('b')],
  ]);
  expect(
    compare(
      acknowledged,
      new Map([
        ['c', stored('a', 'b')],
        ['d', []],
      ]),
    ).lost,
  ).toEqual(['b']);
});

it('finds what is there twice', () => {
  expect(compare(new Map([['c', texts('a')]]), new Map([['c', stored('a', 'a')]])).doubled).toEqual(['a']);
});

it('finds conversations with a gap, and those with a seq twice', () => {
  const gap = [
    { seq: 1, text: 'a' },
    { seq: 3, text: 'b' },
  ];
  const twice = [
    { seq: 1, text: 'a' },
    { seq: 1, text: 'b' },
  ];
  expect(
    compare(
      new Map(),
      new Map([
        ['gap', gap],
        ['twice', twice],
        ['whole', stored('c')],
      ]),
    ).misnumbered,
  ).toEqual(['gap', 'twice']);
});
