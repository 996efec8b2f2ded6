import { describe, expect, it } from 'vitest';
import { namedByProgram, withName } from '../../../../infra/providers/docker/recorded-inputs.ts';
import type { Naming, NamingContext } from '../../../../infra/providers/plugin/resource.ts';

const context = (naming: Partial<Naming>): NamingContext<unknown> => ({
  urn: 'urn:pulumi:stack::project::docker:index/network:Network::back-end',
  preview: false,
  signal: new AbortController().signal,
  config: undefined,
  progress: () => undefined,
  warn: () => undefined,
  naming: { randomSeed: new Uint8Array([1, 2, 3]), ...naming },
});

describe('a name that the program does not give', () => {
  it('is the same in the preview and in the update, and another for another seed', () => {
    const { name } = withName({}, undefined, context({}));
    expect(name).toMatch(/^back-end-[0-9a-f]{7}$/);
    expect(withName({}, undefined, context({})).name).toBe(name);
    expect(withName({}, undefined, context({ randomSeed: new Uint8Array([4]) })).name).not.toBe(name);
  });

  it("follows the stack's rules for names", () => {
    expect(withName({}, undefined, context({ mode: 'enforce', proposedName: 'ruled' })).name).toBe('ruled');
    expect(withName({}, undefined, context({ mode: 'propose', proposedName: 'ruled' })).name).toBe('ruled');
    expect(withName({}, undefined, context({ mode: 'disable' })).name).toBeUndefined();
  });

  it('gives way to the one that the program gives', () => {
    const stored = { name: 'back-end-1234567', __defaults: ['name'] };
    expect(withName({ name: 'chosen' }, stored, context({})).name).toBe('chosen');
  });
});

it('knows whose idea a name was', () => {
  const old = { inputs: {}, outputs: {} };
  expect(namedByProgram(old, { name: 'chosen', __defaults: [] })).toBe(true);
  expect(namedByProgram(old, { name: 'made', __defaults: ['name'] })).toBe(false);
  expect(namedByProgram(old, { name: 'unknown whose' })).toBe(false);
});
