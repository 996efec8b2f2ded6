import { describe, expect, it } from 'vitest';
import { RedisRefused } from '../../../service/storage/redis/redis-connection.ts';
import { type Start, wayToStart } from '../../../service/storage/way-to-start.ts';

const away = new Error('away');
const start: Start = {
  backend: 'dual',
  fallback: undefined,
  missing: { supabase: undefined, redis: undefined },
  isKnownBox: false,
  isOver: false,
};
const without = (...names: ('supabase' | 'redis')[]) => ({
  missing: { ...start.missing, ...Object.fromEntries(names.map((name) => [name, away])) },
});

describe('a backend', () => {
  it.each<[string, Partial<Start>, string]>([
    ['with everything it needs', { isKnownBox: true, fallback: 'memory' }, 'whole'],
    ['without Supabase', without('supabase'), 'failed'],
    ['without Redis', without('redis'), 'failed'],
    ['without Supabase, on a box that reached it before', { ...without('supabase'), isKnownBox: true }, 'known box'],
    ['without both, there', { ...without('supabase', 'redis'), isKnownBox: true }, 'known box'],
    ['without Supabase, there, told to stop', { ...without('supabase'), isKnownBox: true, isOver: true }, 'failed'],
    ['without Redis, which may be', { ...without('redis'), fallback: 'memory' }, 'cold'],
    ['without Supabase, which may be', { ...without('supabase'), fallback: 'memory' }, 'memory'],
    ['of Redis alone, without it', { ...without('redis'), fallback: 'memory', backend: 'redis' }, 'memory'],
  ])('%s', (_what, changes, way) => {
    expect(wayToStart({ ...start, ...changes })).toBe(way);
  });

  it('that is refused does not start, on whatever box', () => {
    const missing = { supabase: away, redis: new RedisRefused('wrong password') };
    expect(wayToStart({ ...start, missing, isKnownBox: true })).toBe('failed');
  });
});
