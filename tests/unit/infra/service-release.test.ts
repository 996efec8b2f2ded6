import { describe, expect, it } from 'vitest';
import { releaseId } from '../../../infra/docker/service-release.ts';

const release = {
  image: 'conversation-kit/service:1',
  environment: { PORT: '8079', LOG_LEVEL: 'info' },
  secretsGeneration: 1,
  secrets: { 'chat-upstreams': '{}' },
};

describe('the id of a release', () => {
  it('is the same for the same content, in whatever order', () => {
    expect(releaseId({ ...release, environment: { LOG_LEVEL: 'info', PORT: '8079' } })).toBe(releaseId(release));
  });

  it.each([
    ['image', { image: 'conversation-kit/service:2' }],
    ['environment', { environment: { ...release.environment, LOG_LEVEL: 'warn' } }],
    ['generation of the secrets', { secretsGeneration: 2 }],
    ['value of a secret', { secrets: { 'chat-upstreams': '{"default":"local"}' } }],
  ])('is another one when the %s changes', (_what, change) => {
    expect(releaseId({ ...release, ...change })).not.toBe(releaseId(release));
  });

  it('fits into a host name', () => {
    expect(releaseId(release)).toMatch(/^[0-9a-f]{10}$/);
  });
});
