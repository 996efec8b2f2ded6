import { describe, expect, it } from 'vitest';
import { firstAnswerOf, type Sample, slices, summarize, timeOfOthers } from '../../../benchmarks/deploy/sample.ts';

const sample = (due: number, took: number, more: Partial<Sample> = {}): Sample => ({
  kind: 'read',
  due,
  took,
  failure: undefined,
  release: 'blue',
  ...more,
});

describe('a window of the load', () => {
  it('has what was due in it, however late that was answered', () => {
    const samples = [sample(0, 5000), sample(10, 3), sample(19, 900), sample(20, 4)];
    expect(summarize(samples, { from: 10, to: 20 })).toMatchObject({ requests: 2, worst: 900, p50: 3 });
  });

  it('counts what failed', () => {
    const samples = [sample(1, 1), sample(2, 1, { failure: 'answered 502' })];
    expect(summarize(samples, { from: 0, to: 10 })).toMatchObject({ requests: 2, failed: 1 });
  });

  it('without any request has no figure', () => {
    expect(() => summarize([sample(1, 1)], { from: 10, to: 20 })).toThrow('nothing was measured');
  });
});

describe('windows that are compared', () => {
  it('are whole, of one length, and begin where they are told to', () => {
    expect(slices({ from: 3, to: 27 }, 10)).toEqual([
      { from: 3, to: 13 },
      { from: 13, to: 23 },
    ]);
  });

  it('are none where there is no room', () => {
    expect(slices({ from: 3, to: 12 }, 10)).toEqual([]);
    expect(slices({ from: 12, to: 3 }, 10)).toEqual([]);
  });
});

describe('the first answer of a release', () => {
  it('is when it arrived, not when it was asked for', () => {
    const samples = [sample(1, 100, { release: 'green' }), sample(5, 20, { release: 'green' }), sample(0, 1)];
    expect(firstAnswerOf(samples, 'green', 0)).toBe(25);
  });

  it('is one to what was asked since: it may have been live before', () => {
    const samples = [sample(1, 2, { release: 'green' }), sample(5, 1), sample(9, 2, { release: 'green' })];
    expect(firstAnswerOf(samples, 'green', 4)).toBe(11);
  });

  it('is not there for one that never answered', () => {
    expect(firstAnswerOf([sample(1, 1)], 'green', 0)).toBeUndefined();
  });
});

it('knows how long a release answered that was taken back', () => {
  const samples = [sample(0, 1), sample(10, 2, { release: 'bad' }), sample(30, 5, { release: 'bad' }), sample(40, 1)];
  expect(timeOfOthers(samples, { from: 0, to: 100 })).toBe(23);
  expect(timeOfOthers(samples, { from: 36, to: 100 })).toBe(0);
});
