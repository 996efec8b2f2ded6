import { expect, test } from 'vitest';
import { bytesOf, fileSize } from '../../../infra/providers/supabase/bucket/file-size.ts';

test.each([
  ['50MB', 50_000_000],
  ['50mb', 50_000_000],
  ['1.5 GB', 1_500_000_000],
  ['50MiB', 52_428_800],
  ['10KiB', 10_240],
  ['512B', 512],
  [1234, 1234],
])('%s is %d bytes', (size, bytes) => {
  expect(bytesOf(size)).toBe(bytes);
});

test.each(['50', '50 megabytes', 'MB', '-1MB', '', '0MB', 0, -5, 1.5, Number.POSITIVE_INFINITY])(
  '%s is no size',
  (size) => {
    expect(fileSize.safeParse(size).success).toBe(false);
  },
);
