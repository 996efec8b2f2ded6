import { describe, expect, it } from 'vitest';
import { isAtLeast, parseVersion } from '../../../scripts/setup/version.mjs';

describe('a version', () => {
  it.each([
    ['v3.250.0', [3, 250, 0]],
    ['go1.26.8', [1, 26, 8]],
    ['1.41', [1, 41, 0]],
    ['Docker/20.10.24+dfsg1 (linux)', [20, 10, 24]],
    ['v3.251.0-alpha.1', [3, 251, 0]],
  ])('is found in %j', (text, version) => {
    expect(parseVersion(text)).toEqual(version);
  });

  it('is not found where there is none', () => {
    expect(parseVersion('command not found')).toBeUndefined();
  });

  it.each([
    ['v22.18.0', '22.18', true],
    ['v22.17.9', '22.18', false],
    ['v24.0.0', '22.18', true],
    ['v20.20.2', '22.18', false],
    ['3.1000.0', '3.238', true],
    ['1.25.11', '1.25.11', true],
    ['1.25.9', '1.25.11', false],
  ])('%s against %s: %s', (text, minimum, enough) => {
    expect(isAtLeast(text, minimum)).toBe(enough);
  });

  it('that a tool did not tell is too old', () => {
    expect(isAtLeast(undefined, '1.0')).toBe(false);
    expect(isAtLeast('segmentation fault', '1.0')).toBe(false);
  });
});
