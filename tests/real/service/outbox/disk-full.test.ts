import { afterAll, expect, it } from 'vitest';
import { z } from 'zod';
import { bundle } from '../../../../infra/docker/bundle.ts';
import { workbench } from '../../images/hardened.ts';

const bench = workbench();
afterAll(() => bench.clean());

const seen = z.object({
  acknowledged: z.array(z.string()),
  refused: z.array(z.object({ name: z.string(), code: z.string(), reason: z.string() })),
  whileFull: z.number(),
  found: z.array(z.string()),
});

it('on a disk that is full nothing is acknowledged and nothing is lost; with room it goes on', async () => {
  const program = bundle(process.cwd(), 'tests/real/service/outbox/fill-disk.ts');
  const image = await bench.build('service', { 'main.mjs': program });
  const started = await bench.start(image, { scratch: ['/outbox'] }); // 64 MiB
  expect(await started.ended(), await started.log()).toBe(0);
  const { acknowledged, refused, whileFull, found } = seen.parse(JSON.parse(await started.log()));
  expect(refused).toHaveLength(3);
  for (const { code, reason } of refused) {
    expect(code).toBe('record_unavailable');
    expect(reason).toMatch(/can't be written \(database or disk is full\): is there room on its disk\?/);
  }
  expect(whileFull).toBe(acknowledged.length - 3);
  expect(acknowledged.slice(-3)).toEqual(['after 0', 'after 1', 'after 2']);
  expect(found).toEqual(acknowledged);
});
