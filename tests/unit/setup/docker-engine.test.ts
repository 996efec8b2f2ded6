import { describe, expect, it } from 'vitest';
import { endpointProblem } from '../../../scripts/setup/steps/docker-engine.mjs';

const own = { host: 'unix:///var/run/docker.sock', origin: 'default' };
const set = { host: 'unix:///run/other.sock', origin: 'DOCKER_HOST' };

describe('a Docker engine that can’t be used', () => {
  it('and may not be talked to: the remedy is the group', () => {
    const problem = endpointProblem(own, { state: 'no permission' });
    expect(problem?.message).toContain(own.host);
    expect(problem?.remedy).toContain('usermod -aG docker');
  });

  it('and is too old: says so instead of failing later', () => {
    expect(endpointProblem(own, { state: 'answers', api: '1.40', server: '' })?.message).toMatch(/too old \(API 1.40/);
  });

  it('and was chosen by the person: it is not replaced by another one', () => {
    const problem = endpointProblem(set, { state: 'silent', reason: 'ENOENT' });
    expect(problem?.message).toBe('The Docker engine at unix:///run/other.sock (DOCKER_HOST) does not answer: ENOENT');
    expect(problem?.remedy).toContain('unset DOCKER_HOST');
    const context = endpointProblem({ ...set, origin: 'Docker context box' }, { state: 'silent', reason: 'ENOENT' });
    expect(context?.remedy).toContain('docker context use default');
  });

  it('and is this machine’s own: it is ours to start', () => {
    expect(endpointProblem(own, { state: 'silent', reason: 'ENOENT' })).toBeUndefined();
  });
});
