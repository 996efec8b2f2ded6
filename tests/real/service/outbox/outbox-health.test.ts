import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Health } from '../../../../service/health/health.ts';
import { Outbox } from '../../../../service/storage/outbox/outbox.ts';
import { OutboxDesk } from '../../../../service/storage/outbox/outbox-desk.ts';
import { OutboxFile } from '../../../../service/storage/outbox/outbox-file.ts';
import { OutboxRefused } from '../../../../service/storage/outbox/outbox-refused.ts';
import { RecordState } from '../../../../service/storage/outbox/record-state.ts';

let directory: string;
let file: OutboxFile;
let state: RecordState;
let health: Health;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'outbox-health-'));
  file = OutboxFile.open(directory);
  state = new RecordState(() => Promise.reject(new Error('nobody answers')));
  const desk = new OutboxDesk({
    file,
    state,
    outbox: new Outbox(file),
    refused: new OutboxRefused(file),
    replay: { replayed: 0 },
  });
  const about = { releaseId: 'under-test', backend: 'dual', warning: undefined, tiers: () => [] };
  health = new Health({ ...about, probes: [desk.probe] });
});
afterEach(async () => {
  await state.close();
  await rm(directory, { recursive: true });
});

it('is degraded while the record is away, and unhealthy when nothing can wait for it, either', async () => {
  expect((await health.examine()).status).toBe('healthy');
  state.startAway(new Error('the line is down'));
  expect((await health.examine()).status).toBe('degraded');
  file.close(); // as good as a disk that is gone
  expect((await health.examine()).status).toBe('unhealthy');
});

it('is degraded when only the outbox can not be written', async () => {
  file.close();
  expect((await health.examine()).status).toBe('degraded');
});
