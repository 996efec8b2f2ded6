import { afterAll, beforeAll, expect, it } from 'vitest';
import { say } from '../dual.ts';
import { append, type Box, type BoxProcess, begin, drained, startBox, stored } from './box.ts';

let box: Box;
let one: BoxProcess;
beforeAll(async () => {
  box = await startBox();
  one = await box.process();
});
afterAll(() => box?.close());

it('stores 1,000 messages once, though 1,000 replies are lost after the commit, and what was queued is sent again', async () => {
  const conversations = await Promise.all(Array.from({ length: 10 }, () => begin(one)));
  let replies = 0;
  let cuts = 0;
  box.proxy.onReply = async (name) => {
    if (name !== 'append_messages') return 'pass';
    replies += 1;
    if (replies % 2 === 0) return 'pass';
    cuts += 1;
    return 'cut';
  };
  await Promise.all(
    conversations.map(async (id, lane) => {
      for (let turn = 0; turn < 100; turn += 1) {
        const messages = [say(`text ${turn}`, `${lane}/${turn}`)];
        while ((await append(one, id, messages)).durability === 'queued');
      }
    }),
  );
  box.back();
  await drained(one);
  expect(cuts).toBeGreaterThan(900);
  for (const [lane, id] of conversations.entries()) {
    const rows = await stored(box, id);
    expect(rows.map(({ name }) => name)).toEqual(Array.from({ length: 100 }, (_, turn) => `${lane}/${turn}`));
  }
}, 400_000);
