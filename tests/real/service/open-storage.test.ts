import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConversationStore } from '../../../service/conversation/conversation-store.ts';
import {
  openStorage,
  type Storage,
  type StorageFailedError,
  type StorageSettings,
} from '../../../service/storage/open-storage.ts';
import { freePort } from '../../support/containers.ts';
import { startRecord, startTestRedis, type TestRecord, type TestRedis } from './servers.ts';

let record: TestRecord;
let redis: TestRedis;
let nobody: string;
const outboxes = mkdtempSync(join(tmpdir(), 'open-storage-'));

beforeAll(async () => {
  [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
  nobody = `127.0.0.1:${await freePort()}`;
});
afterAll(async () => {
  await redis?.stop();
  await record?.close();
  rmSync(outboxes, { recursive: true });
});

const dual = (): StorageSettings => ({
  backend: 'dual',
  fallback: undefined,
  supabase: record.settings,
  redis: redis.settings,
  outboxDirectory: mkdtempSync(join(outboxes, 'outbox-')),
});
async function open(settings: StorageSettings, milliseconds = 10_000): Promise<{ storage: Storage; lines: string[] }> {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  return { storage: await openStorage(settings, log, AbortSignal.timeout(milliseconds)), lines };
}
async function failure(settings: StorageSettings, milliseconds?: number): Promise<StorageFailedError> {
  const outcome = await open(settings, milliseconds).then(
    async ({ storage }) => {
      await storage.close();
      return 'started';
    },
    (error: StorageFailedError) => error,
  );
  if (typeof outcome === 'string') throw new Error('the backend started');
  return outcome;
}
const works = async (store: ConversationStore) => {
  const { tier } = await store.create({ kind: 'server' }, { title: null, metadata: {} }, 60);
  return tier;
};

describe('a backend', () => {
  it('starts with what is there', async () => {
    const { storage } = await open(dual());
    expect(storage.store.tiers()).toEqual(['redis', 'supabase']);
    expect(storage.warning).toBeUndefined();
    expect(await works(storage.store)).toBe('supabase');
    await storage.close();
  });

  it.each<[string, () => StorageSettings, RegExp]>([
    ['the password of Redis', () => ({ ...dual(), redis: { ...redis.settings, password: 'wrong' } }), /Redis refuses/],
    ['no password of Redis', () => ({ ...dual(), redis: { ...redis.settings, password: undefined } }), /Redis refuses/],
    [
      'the secret key of Supabase',
      () => ({ ...dual(), supabase: { ...record.settings, secretKey: 'sb_secret_wrong_wrong_wrong' } }),
      /Supabase refuses/,
    ],
  ])('that is refused for %s fails at once, whatever time there is', async (_what, settings, reason) => {
    const started = performance.now();
    const error = await failure(settings(), 60_000);
    expect(error.message).toMatch(reason);
    expect(error.refused).toBe(true);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it.each<[string, () => StorageSettings]>([
    ['Redis', () => ({ ...dual(), redis: { url: `redis://${nobody}`, password: undefined } })],
    ['Supabase', () => ({ ...dual(), supabase: { ...record.settings, url: `http://${nobody}` } })],
  ])('that can not reach %s fails when its time is over, and says what to do', async (_what, settings) => {
    const error = await failure(settings(), 1500);
    expect(error.refused).toBe(false);
    expect(error.message).toMatch(/"dual" can't start: .*CONVERSATION_STORAGE_FALLBACK=memory/);
  });

  it('waits for what comes in time', async () => {
    await redis.kill();
    const opening = open(dual(), 30_000);
    await redis.restart();
    const { storage } = await opening;
    expect(storage.store.tiers()).toEqual(['redis', 'supabase']);
    await storage.close();
  });
});

describe('with the fallback memory', () => {
  it('dual goes on without Redis, with a warning, and takes it when it comes', async () => {
    await redis.kill();
    const { storage, lines } = await open({ ...dual(), fallback: 'memory' }, 1500);
    expect(lines.join('')).toContain('started without hot copies');
    expect(storage.store.tiers()).toEqual(['supabase']);
    expect(await works(storage.store)).toBe('supabase');
    await redis.restart();
    while (storage.store.tiers().length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
    await storage.close();
  });

  it.each(['dual', 'supabase'] as const)('%s without Supabase is no more than memory, and says so', async (backend) => {
    const settings = {
      ...dual(),
      backend,
      supabase: { ...record.settings, url: `http://${nobody}` },
      fallback: 'memory' as const,
    };
    const { storage, lines } = await open(backend === 'dual' ? settings : { ...settings, redis: undefined }, 1500);
    expect(lines.join('')).toContain('started in memory');
    expect(storage.warning).toMatch(/in the memory of this process/);
    expect(storage.store.tiers()).toEqual(['memory']);
    expect(await works(storage.store)).toBe('memory');
    await storage.close();
  });

  it('nothing changes for a backend that starts', async () => {
    const { storage, lines } = await open({ ...dual(), fallback: 'memory' });
    expect(storage.warning).toBeUndefined();
    expect(storage.store.tiers()).toEqual(['redis', 'supabase']);
    expect(lines.join('')).not.toContain('started');
    await storage.close();
  });
});
