import { mkdir, mkdtemp, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { liveUpdate, readUpdates } from '../../../scripts/releases/updates.ts';

const manifest = {
  release: 'abc',
  program: { commit: 'c', snapshot: 's', clean: true },
  images: {},
  schemaHead: '1',
  schemaContracts: [],
  configDigest: 'd',
};
const previous = process.env.PULUMI_BACKEND_URL;
let root: string;
let history: string;
let stacks: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'conversation-kit-history-'));
  history = join(root, '.pulumi', 'history', 'conversation-kit', 'prod');
  stacks = join(root, '.pulumi', 'stacks', 'conversation-kit');
  await mkdir(history, { recursive: true });
  await mkdir(stacks, { recursive: true });
  process.env.PULUMI_BACKEND_URL = pathToFileURL(root).href;
});
afterEach(async () => {
  if (previous === undefined) delete process.env.PULUMI_BACKEND_URL;
  else process.env.PULUMI_BACKEND_URL = previous;
  await rm(root, { recursive: true, force: true });
});

/** Writes the files of one entry as the backend does, and the state with it. */
async function add(time: number, entry: object = {}, outputs: object = { manifest, namespace: 'ck', embedded: true }) {
  const path = join(history, `prod-${time}`);
  const checkpoint = JSON.stringify({
    version: 3,
    checkpoint: {
      latest: {
        secrets_providers: { type: 'passphrase', state: { salt: 'v1:salt' } },
        resources: [
          { urn: 'a', type: 'pulumi:pulumi:Stack', outputs },
          { urn: 'b', type: 'supabase:index:Migrations', outputs: { applied: ['1_a'], contracts: { '1_a': 'why' } } },
        ],
      },
    },
  });
  const config = { 'conversation-kit:chatUpstreams': { secure: 'v1:x' }, 'conversation-kit:nested': { a: [1] } };
  const whole = { kind: 'update', startTime: 1, endTime: 2, message: 'm', result: 'succeeded', config, ...entry };
  await writeFile(`${path}.history.json`, JSON.stringify(whole));
  await writeFile(`${path}.checkpoint.json`, checkpoint);
  await writeFile(join(stacks, 'prod.json'), checkpoint);
  return path;
}

test('updates come newest first, counted from the oldest; a refresh counts and is none', async () => {
  await add(100);
  await add(200, { kind: 'refresh' });
  await add(300, { result: 'failed' });
  await add(1000, { message: 'last' });
  const updates = await readUpdates('prod');
  expect(updates.map(({ number, result }) => [number, result])).toEqual([
    [4, 'succeeded'],
    [3, 'failed'],
    [1, 'succeeded'],
  ]);
  expect(updates[0]).toMatchObject({
    message: 'last',
    at: new Date(2000),
    manifest,
    namespace: 'ck',
    record: 'embedded',
    migrations: ['1_a'],
    contracts: { '1_a': 'why' },
    config: {
      values: { 'conversation-kit:chatUpstreams': { secure: 'v1:x' } },
      encryption: { encryptionsalt: 'v1:salt' },
    },
    damage: undefined,
  });
  expect(updates[1]?.manifest).toBeUndefined(); // a failed one's checkpoint still has the outputs of the one before
  expect(liveUpdate(updates)?.number).toBe(4);
});

test('a stack that was taken down has nothing live', async () => {
  await add(100);
  await add(200, { kind: 'destroy' }, {});
  expect(liveUpdate(await readUpdates('prod'))).toBeUndefined();
});

test('a state that went on after the newest entry is an update under way, or killed', async () => {
  await add(100);
  await writeFile(join(stacks, 'prod.json'), JSON.stringify({ version: 3, checkpoint: { latest: null } }));
  const updates = await readUpdates('prod');
  expect(updates.map(({ number, result }) => [number, result])).toEqual([
    [2, 'in-progress'],
    [1, 'succeeded'],
  ]);
});

test('torn and missing files are said, and the others are as good as before', async () => {
  await add(100);
  const torn = await add(200);
  await truncate(`${torn}.history.json`, 20);
  const missing = await add(300);
  await unlink(`${missing}.checkpoint.json`);
  const updates = await readUpdates('prod');
  expect(updates.map(({ number, damage }) => [number, damage])).toEqual([
    [3, expect.stringContaining('checkpoint.json is missing')],
    [2, expect.stringContaining('history.json is torn or unreadable')],
    [1, undefined],
  ]);
});

test('a compressed history is read as well', async () => {
  const path = await add(100);
  for (const kind of ['history', 'checkpoint']) {
    const { default: text } = await import(`${path}.${kind}.json`, { with: { type: 'json' } });
    await writeFile(`${path}.${kind}.json.gz`, gzipSync(JSON.stringify(text)));
    await unlink(`${path}.${kind}.json`);
  }
  expect((await readUpdates('prod'))[0]).toMatchObject({ number: 1, manifest, damage: undefined });
});

test('a stack without a history has no updates; another backend is told with the way by hand', async () => {
  expect(await readUpdates('other')).toEqual([]);
  process.env.PULUMI_BACKEND_URL = 's3://bucket?secret=x';
  const error = await readUpdates('prod').catch(String);
  expect(error).toContain('docs/rollback.md');
  expect(error).not.toContain('secret');
});
