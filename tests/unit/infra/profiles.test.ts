import { describe, expect, it } from 'vitest';
import { assertFits, memoryBudget, profileNames, profiles, type Role, redisLimit } from '../../../infra/profiles.ts';

const everything: Role[] = ['redis', 'postgres', 'supabase', 'service', 'caddy', 'redis-commander'];

describe('the boxes', () => {
  it.each(profileNames)('%s holds the whole stack and a second service', (name) => {
    expect(() => assertFits(name, profiles[name], everything)).not.toThrow();
  });

  it.each(profileNames)('%s gives Redis one CPU and room for a fork beside its data', (name) => {
    const limit = redisLimit(profiles[name]);
    expect(limit.cpus).toBe(1);
    expect(limit.memory).toBeGreaterThanOrEqual(profiles[name].redisMaxMemory * 1.5);
  });

  it('follows the memory that each box has for Redis', () => {
    expect(profiles.ryzen.redisMaxMemory).toBe(4096);
    expect(profiles.optiplex.redisMaxMemory).toBe(2048);
  });

  it('refuses a plan that does not fit, with the sum written out', () => {
    const cramped = { ...profiles.optiplex, box: { memory: 4096, cpus: 2 } };
    const { sum } = memoryBudget(cramped, ['redis', 'service']);
    expect(() => assertFits('optiplex', cramped, ['redis', 'service'])).toThrow(
      new RegExp(`optiplex \\(4096 MiB\\)[^]*3328 MiB {2}redis[^]*${sum} MiB {2}in all`),
    );
  });
});
