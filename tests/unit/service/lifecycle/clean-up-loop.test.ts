import { expect, it } from 'vitest';
import { CleanUpLoop } from '../../../../service/clean-up-loop.ts';

const hour = 3_600_000;

it('tells of a failure, and goes on', async () => {
  const { promise: twice, resolve } = Promise.withResolvers<void>();
  const failures: unknown[] = [];
  let turns = 0;
  const loop = new CleanUpLoop({
    times: { first: 1, between: 1 },
    work: async () => {
      turns += 1;
      if (turns === 1) throw new Error('away');
      resolve();
    },
    onFailure: (error) => failures.push(error),
  });
  await twice;
  await loop.stop();
  expect(failures).toEqual([new Error('away')]);
});

it('stops while it waits, without having done anything', async () => {
  const loop = new CleanUpLoop({
    times: { first: hour, between: hour },
    work: async () => expect.unreachable('nothing is due'),
    onFailure: (error) => expect.unreachable(String(error)),
  });
  await loop.stop();
});

it('waits for what is under way when it is stopped, and tells it to end', async () => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const events: string[] = [];
  const loop = new CleanUpLoop({
    times: { first: 1, between: hour },
    work: async (signal) => {
      begin();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      events.push('ended');
    },
    onFailure: (error) => expect.unreachable(String(error)),
  });
  await begun;
  await loop.stop();
  expect(events).toEqual(['ended']);
});
