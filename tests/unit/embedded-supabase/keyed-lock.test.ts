import { expect, test } from 'vitest';
import { KeyedLock } from '../../../embedded-supabase/storage/keyed-lock.ts';

test('work for one key goes one after the other, for different keys side by side', async () => {
  const lock = new KeyedLock();
  const log: string[] = [];
  const gates = {
    a1: Promise.withResolvers<void>(),
    a2: Promise.withResolvers<void>(),
    b1: Promise.withResolvers<void>(),
  };
  const work = (key: string, name: keyof typeof gates) =>
    lock.run(key, async () => {
      log.push(`${name} begins`);
      await gates[name].promise;
      log.push(`${name} ends`);
      return name;
    });
  const all = [work('a', 'a1'), work('a', 'a2'), work('b', 'b1')];
  gates.a2.resolve();
  gates.b1.resolve();
  await all[2];
  expect(log).not.toContain('a2 begins');
  gates.a1.resolve();
  expect(await Promise.all(all)).toEqual(['a1', 'a2', 'b1']);
  expect(log.indexOf('a1 ends')).toBeLessThan(log.indexOf('a2 begins'));
});

test('a failure reaches its caller only', async () => {
  const lock = new KeyedLock();
  const failed = lock.run('a', () => Promise.reject(new Error('first')));
  const next = lock.run('a', async () => 'second');
  await expect(failed).rejects.toThrow('first');
  expect(await next).toBe('second');
});
