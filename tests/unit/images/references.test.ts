import { describe, expect, test } from 'vitest';
import { baseImageReference, isSupported } from '../../../images/base/reference.ts';
import { contentHash } from '../../../images/content-hash.ts';
import { imageRoles } from '../../../images/context.ts';
import { publicImages } from '../../../images/public-images.ts';

describe('a content hash', () => {
  test('does not depend on the order of the pieces', () => {
    expect(
      contentHash([
        ['a', '1'],
        ['b', '2'],
      ]),
    ).toBe(
      contentHash([
        ['b', '2'],
        ['a', '1'],
      ]),
    );
  });

  test('is the same for text and its bytes', () => {
    expect(contentHash([['a', 'ü']])).toBe(contentHash([['a', Buffer.from('ü')]]));
  });

  test.each([
    ['another content', [['a', '1']], [['a', '2']]],
    ['another name', [['a', '1']], [['b', '1']]],
    [
      'the same bytes cut elsewhere',
      [['a', '1b1']],
      [
        ['a', ''],
        ['b', '1'],
      ],
    ],
    ['a name that runs into its content', [['ab', 'c']], [['a', 'bc']]],
  ] as const)('is another one for %s', (_what, left, right) => {
    expect(contentHash(left)).not.toBe(contentHash(right));
  });
});

describe('the reference of the base image', () => {
  test('is a name and twelve hexadecimal digits, always the same', () => {
    expect(baseImageReference('x64')).toMatch(/^conversation-kit\/base:[0-9a-f]{12}$/);
    expect(baseImageReference('x64')).toBe(baseImageReference('x64'));
  });

  test('is another one on another processor', () => {
    expect(baseImageReference('x64')).not.toBe(baseImageReference('arm64'));
    expect([isSupported('x64'), isSupported('arm64'), isSupported('riscv64')]).toEqual([true, true, false]);
  });
});

test('every role has a public image of an exact version', () => {
  expect(Object.keys(publicImages).sort()).toEqual([...imageRoles].sort());
  for (const image of Object.values(publicImages))
    expect(image).toMatch(/^[a-z]+:\d+\.\d+(\.\d+)?-(bookworm(-slim)?|alpine)$/);
});
