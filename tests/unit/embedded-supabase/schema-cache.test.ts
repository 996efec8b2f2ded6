import { expect, test } from 'vitest';
import { SchemaCache } from '../../../embedded-supabase/database/schema-cache.ts';

/** A source whose readings end when the test says so. */
function source() {
  const readings: PromiseWithResolvers<string>[] = [];
  const cache = new SchemaCache(() => {
    const reading = Promise.withResolvers<string>();
    readings.push(reading);
    return reading.promise;
  });
  return { cache, readings };
}

test('who asks at the same time shares one reading', async () => {
  const { cache, readings } = source();
  const asked = [cache.current(), cache.current()];
  expect(readings).toHaveLength(1);
  readings[0]?.resolve('one');
  expect(await Promise.all(asked)).toEqual(['one', 'one']);
  expect(await cache.current()).toBe('one');
  expect(readings).toHaveLength(1);
});

test('a reading that began before the change is not given out after it', async () => {
  const { cache, readings } = source();
  const before = cache.current();
  cache.invalidate();
  const after = cache.current();
  readings[0]?.resolve('old');
  await Promise.resolve();
  await expect.poll(() => readings).toHaveLength(2);
  readings[1]?.resolve('new');
  expect(await after).toBe('new');
  expect(await before).toBe('new');
});

test('a failure reaches those who wait, and the next one tries again', async () => {
  const { cache, readings } = source();
  const asked = cache.current();
  readings[0]?.reject(new Error('away'));
  await expect(asked).rejects.toThrow('away');
  const again = cache.current();
  readings[1]?.resolve('there');
  expect(await again).toBe('there');
});
