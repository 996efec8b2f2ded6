import { describe, expect, it } from 'vitest';
import { upstreamsFile } from '../../../service/chat/upstream.ts';

const url = 'https://api.example.com/v1';
const mistakes = (file: unknown) =>
  upstreamsFile.safeParse(file).error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`) ?? [];

describe('the file of upstreams', () => {
  it('needs a name, an address and a model', () => {
    const { upstreams, standard } = upstreamsFile.parse({ upstreams: { local: { url, model: 'small' } } });
    expect(upstreams).toHaveLength(1);
    expect(standard).toMatchObject({ name: 'local', url, model: 'small', models: [], retries: 2 });
    expect(standard?.timeouts).toEqual({ connect: 5_000, first_byte: 60_000, between_bytes: 30_000, total: 300_000 });
  });

  it('says which of several is the default', () => {
    const both = { moonshot: { url, model: 'm' }, glm: { url, model: 'g' } };
    expect(upstreamsFile.parse({ default: 'glm', upstreams: both }).standard?.name).toBe('glm');
    expect(mistakes({ upstreams: both })).toEqual(['default is missing: one of moonshot, glm']);
    expect(mistakes({ default: 'gml', upstreams: both })).toEqual(['default is none of moonshot, glm']);
    expect(mistakes({ upstreams: {} })).toEqual(['upstreams is empty']);
  });

  it('has every mistake listed at once, without the key', () => {
    const found = mistakes({
      upstreams: {
        a: { url: 'api.example.com', model: '', api_key: 'my secret key' },
        b: { url: 'https://name:password@example.com/v1', model: 'm', retries: 9, timeouts: { total: 'long' } },
      },
    });
    expect(found.map((mistake) => mistake.split(' ')[0])).toEqual([
      'upstreams.a.url',
      'upstreams.a.model',
      'upstreams.a.api_key',
      'upstreams.b.url',
      'upstreams.b.timeouts.total',
      'upstreams.b.retries',
    ]);
    expect(found.join()).not.toMatch(/my secret key|password@/);
  });
});
