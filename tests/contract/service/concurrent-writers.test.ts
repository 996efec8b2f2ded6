import { describe, expect, it } from 'vitest';
import { SeqConflict } from '../../../service/conversation/errors.ts';
import { describeBackends, running, say, server, texts } from './suite.ts';

describeBackends('writing', (kit) => {
  const { begin, append, read } = kit;

  describe('16 concurrent writers of two processes', () => {
    it('leave no gap and no duplicate, and every reader sees one order', async () => {
      const id = await begin();
      const other = await kit.backend.open();
      const writers = Array.from({ length: 16 }, async (_, writer) => {
        const through = writer % 2 === 0 ? kit.store : other;
        const seqs: number[] = [];
        for (let turn = 0; turn < 5; turn += 1) {
          const { receipts } = await through.append(server, id, [say(`${writer}/${turn}`)], undefined);
          seqs.push(...receipts.map(({ seq }) => Number(seq)));
          const thread = await through.read(server, id, { limit: 100 }, running);
          // Whoever has the word that it is appended finds it.
          expect(texts(thread.messages)).toContain(`${writer}/${turn}`);
        }
        return seqs;
      });
      const seqs = (await Promise.all(writers)).flat();
      const all = Array.from({ length: 80 }, (_, index) => index + 1);
      expect(seqs.toSorted((left, right) => left - right)).toEqual(all);
      const [mine, theirs] = await Promise.all([read(id), other.read(server, id, { limit: 100 }, running)]);
      expect(mine.messages.map(({ seq }) => seq)).toEqual(all);
      expect(theirs.messages).toEqual(mine.messages);
      for (let writer = 0; writer < 16; writer += 1) {
        const own = texts(mine.messages).filter((text) => String(text).startsWith(`${writer}/`));
        expect(own).toEqual([0, 1, 2, 3, 4].map((turn) => `${writer}/${turn}`));
      }
    });

    it('that all expect the same seq: exactly one is let in', async () => {
      const id = await begin();
      const attempts = Array.from({ length: 16 }, () => append(id, [say('mine')], server, 0));
      const settled = await Promise.allSettled(attempts);
      expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of settled) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(SeqConflict);
      expect((await read(id)).conversation.last_seq).toBe(1);
    });

    it('that all send the same message: it is there once', async () => {
      const id = await begin();
      const message = say('the same');
      const results = await Promise.all(Array.from({ length: 16 }, () => append(id, [message])));
      expect(results.flatMap(({ receipts }) => receipts).filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(new Set(results.flatMap(({ receipts }) => receipts.map(({ seq }) => seq)))).toEqual(new Set([1]));
      expect((await read(id)).messages).toHaveLength(1);
    });
  });
});
