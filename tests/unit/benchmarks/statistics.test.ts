import { describe, expect, it } from 'vitest';
import { median, quantile, ratios, spread } from '../../../benchmarks/statistics.ts';

describe('a quantile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

  it('is a value that was measured: the least that so many do not exceed', () => {
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile(hundred, 1)).toBe(100);
    expect(quantile(hundred, 0)).toBe(1);
    expect(quantile([7], 0.99)).toBe(7);
  });

  it('is the lower middle value for the half', () => {
    expect(median([4, 1, 3, 2])).toBe(2);
    expect(median([3, 1, 2])).toBe(2);
  });

  it('leaves the values in their order', () => {
    const values = [3, 1, 2];
    quantile(values, 0.5);
    expect(values).toEqual([3, 1, 2]);
  });

  it('of nothing is an error, not a figure', () => {
    expect(() => quantile([], 0.5)).toThrow('nothing was measured');
  });
});

it('takes ratios round by round', () => {
  expect(ratios([2, 9], [1, 3])).toEqual([2, 3]);
  expect(ratios([2, 9], [1])).toEqual([2, Number.NaN]);
});

it('writes median and range in as many digits as mean something', () => {
  expect(spread([1.234, 5.678, 0.0456])).toBe('1.2 (0.046–5.7)');
  expect(spread([1234.5, -250.4, 99])).toBe('99 (-250–1,235)');
});
