import { describe, expect, it } from 'vitest';
import { secret } from '../../../infra/providers/kit/secret.ts';
import type { ResourceContext } from '../../../infra/providers/plugin/resource.ts';

const context: ResourceContext<Record<string, never>> = {
  urn: 'urn:pulumi:local::conversation-kit::kit:index:Secret::any',
  preview: false,
  signal: new AbortController().signal,
  config: {},
  progress() {},
  warn() {},
};
const inputs = { bytes: 32, prefix: 'sb_secret_', generation: 1 };

describe('a generated secret', () => {
  it('is another one each time, with its prefix and 32 random bytes', async () => {
    const [one, two] = [await secret.create(inputs, context), await secret.create(inputs, context)];
    expect(one.outputs.value).toMatch(/^sb_secret_[\w-]{43}$/);
    expect(one.outputs.value).not.toBe(two.outputs.value);
  });

  it('stays as it is over a refresh', async () => {
    const { id, outputs } = await secret.create(inputs, context);
    expect(await secret.read(id, { inputs, outputs }, context)).toEqual({ id, inputs, outputs });
  });

  it('is made anew in place when the generation is counted up: a replacement of a protected resource is refused', async () => {
    const { id, outputs } = await secret.create(inputs, context);
    const renewed = await secret.update?.(id, { inputs, outputs }, { ...inputs, generation: 2 }, context);
    expect(renewed?.value).toMatch(/^sb_secret_/);
    expect(renewed?.value).not.toBe(outputs.value);
    expect(secret.replaceOnChanges).toEqual([]);
  });

  it('is marked as one, so that the engine encrypts it', () => {
    expect(secret.secretOutputs).toEqual(['value']);
  });

  it('takes neither too few bytes nor unknown inputs', () => {
    expect(secret.inputs.safeParse({ ...inputs, bytes: 8 }).success).toBe(false);
    expect(secret.inputs.safeParse({ ...inputs, colour: 'blue' }).success).toBe(false);
  });
});
