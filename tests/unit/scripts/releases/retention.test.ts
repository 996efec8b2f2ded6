import { expect, test } from 'vitest';
import { oldImages } from '../../../../scripts/releases/image-retention.ts';
import { oldSnapshots } from '../../../../scripts/releases/snapshot-retention.ts';
import { updateOf } from './sample-updates.ts';

const releases = (names: string) => [...names].map((name, index) => updateOf(names.length - index, name));
const image = (name: string) => `conversation-kit/service:${name}`;

test('the images of the newest five releases of each stack stay', () => {
  expect(oldImages([releases('gfedcba')])).toEqual([image('a'), image('b')]);
  expect(oldImages([releases('gfedcba'), releases('a')])).toEqual([image('b')]);
  expect(oldImages([releases('abc')])).toEqual([]);
});

test('updates that changed nothing, or failed, do not count', () => {
  expect(oldImages([releases('aaaaaaaab')])).toEqual([]);
  const failed = updateOf(9, 'x', { result: 'failed', manifest: undefined });
  expect(oldImages([[failed, failed, failed, failed, failed, ...releases('ab')]])).toEqual([]);
});

test('programs are let go of when no history needs them and they are a month old', () => {
  const now = new Date('2026-06-01T00:00:00Z');
  const long = new Date('2026-01-01T00:00:00Z');
  const needed = 'a'.padEnd(40, '0');
  const written = new Map([
    [needed, long],
    ['unknown-and-old', long],
    ['unknown-and-new', new Date('2026-05-20T00:00:00Z')],
  ]);
  expect(oldSnapshots(written, [releases('ab')], now)).toEqual(['unknown-and-old']);
  const many = releases('zyxwvutsrqponmlkjihgfedcba');
  expect(oldSnapshots(written, [many], now)).toEqual([needed, 'unknown-and-old']);
});
