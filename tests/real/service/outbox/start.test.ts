import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  openStorage,
  type StorageFailedError,
  type StorageSettings,
} from '../../../../service/storage/open-storage.ts';
import { say } from '../dual.ts';
import { append, type Box, begin, drained, startBox, stored } from './box.ts';

let box: Box;
let elsewhere: string;
beforeAll(async () => {
  box = await startBox();
  elsewhere = await mkdtemp(join(tmpdir(), 'outbox-'));
});
afterEach(() => box.back());
afterAll(async () => {
  await box?.close();
  await rm(elsewhere, { recursive: true });
});

async function failure(changes: Partial<StorageSettings>): Promise<StorageFailedError> {
  const opening = openStorage({ ...box.settings, ...changes }, pino({ level: 'silent' }), AbortSignal.timeout(1500));
  const outcome = await opening.then(
    async (storage) => {
      await storage.close();
      return 'started';
    },
    (error: StorageFailedError) => error,
  );
  if (typeof outcome === 'string') throw new Error('the backend started');
  return outcome;
}

describe('a box', () => {
  it('that never reached this Supabase does not start without it', async () => {
    box.cut();
    expect(await failure({ outboxDirectory: join(elsewhere, 'new') })).toMatchObject({ refused: false });
  });

  it('that reached it before starts without it, without Redis, or without both', async () => {
    const before = await box.process();
    const id = await begin(before);
    await append(before, id, [say('a')]);
    await before.close();

    box.cut();
    const alone = await box.process();
    expect(alone.lines.join('')).toMatch(/started without Supabase: it was reached before from here/);
    expect(alone.lines.join('')).not.toContain("can't start");
    expect(alone.store.tiers()).toEqual(['redis', 'outbox']);
    expect(await append(alone, id, [say('b')])).toMatchObject({ durability: 'queued' });
    await alone.close();

    await box.redis.kill();
    const lonely = await box.process();
    expect(lonely.lines.join('')).toMatch(/started without Supabase and without Redis/);
    expect(await append(lonely, id, [say('c')])).toMatchObject({ durability: 'queued' });
    box.back();
    await drained(lonely);
    expect((await stored(box, id)).map(({ content }) => content)).toEqual(['a', 'b', 'c']);
    await lonely.close();

    const slower = await box.process();
    expect(slower.lines.join('')).toMatch(/started without Redis/);
    await box.redis.restart();
    await slower.close();
  });

  it('starts with another key of this Supabase only when that was reached', async () => {
    const { supabase } = box.settings;
    if (supabase === undefined) throw new Error('a box has a Supabase');
    const rotated = { ...supabase, secretKey: 'sb_secret_wrong_wrong_wrong' };
    expect(await failure({ supabase: rotated })).toMatchObject({ refused: true });
    box.cut();
    expect(await failure({ supabase: rotated })).toMatchObject({ refused: false });
  });

  it('does not start with an outbox that can not be used, whatever the fallback', async () => {
    await writeFile(join(elsewhere, 'file'), '');
    await writeFile(join(elsewhere, 'outbox.sqlite'), 'no database, but whatever else');
    for (const fallback of [undefined, 'memory'] as const) {
      const blocked = await failure({ outboxDirectory: join(elsewhere, 'file'), fallback });
      expect(blocked).toMatchObject({ refused: true, message: expect.stringContaining('OUTBOX_DIRECTORY') });
      const damaged = await failure({ outboxDirectory: elsewhere, fallback });
      expect(damaged).toMatchObject({ refused: true, message: expect.stringContaining('is damaged') });
    }
  });
});
