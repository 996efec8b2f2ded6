import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRecord, type TestRecord, type TestUser } from '../service/servers.ts';
import { type Installation, install, type RunningService } from '../service/service-process.ts';

const messages = 100_000;
const megabyte = 1024 * 1024;

let record: TestRecord;
let installation: Installation;
let service: RunningService;
let ada: TestUser;
let bob: TestUser;
let directory: string;
let id: string;

/** A process with little memory, and a thread of so many messages of 700 bytes. */
beforeAll(async () => {
  record = await startRecord();
  directory = await mkdtemp(join(tmpdir(), 'large-thread-'));
  const secrets = { ...record.settings, redisPassword: 'none' };
  installation = await install(secrets, { supabase: record.settings.url, redis: 'redis://127.0.0.1:1' });
  service = await installation.start({
    CONVERSATION_STORAGE_BACKEND: 'supabase',
    NODE_OPTIONS: '--max-old-space-size=64',
    RATE_LIMIT_USER: '0',
  });
  [ada, bob] = [await record.signUp(), await record.signUp()];
  id = randomUUID();
  await record.sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`; // as many triggers would take minutes
    await tx`insert into conversations (id, user_id, last_seq) values (${id}, ${ada.id}, ${messages})`;
    await tx`insert into messages (conversation_id, seq, client_message_id, role, content, metadata, created_at)
      select ${id}, n, 'm' || n, 'user', to_jsonb(n || ' ' || repeat('x', 600)), '{"n": 1}', now() - make_interval(secs => ${messages} - n)
      from generate_series(1, ${messages}) n`;
  });
}, 400_000);
afterAll(async () => {
  await service?.stop();
  await installation?.remove();
  await record?.close();
  await rm(directory, { recursive: true, force: true });
});

const bearer = (user: TestUser) => ({ authorization: `Bearer ${user.token}` });

async function download(user: TestUser, file: string): Promise<string> {
  const response = await fetch(`${service.url}/v1/conversations/${id}/export`, { headers: bearer(user) });
  expect(response.status).toBe(200);
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk, _encoding, next) {
      hash.update(chunk);
      next(null, chunk);
    },
  });
  await pipeline(Readable.from(response.body ?? []), hashing, createWriteStream(file));
  return hash.digest('hex');
}

async function upload(user: TestUser, file: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${service.url}/v1/import`, {
    method: 'POST',
    headers: { ...bearer(user), 'content-type': 'application/jsonl' },
    body: Readable.toWeb(createReadStream(file)) as ReadableStream,
    duplex: 'half',
  } as RequestInit);
  return { status: response.status, body: await response.json() };
}

describe('a thread of 100,000 messages, more than fits into the heap of 64 MB,', () => {
  let hash: string;

  it('is exported', async () => {
    const file = join(directory, 'first.jsonl');
    hash = await download(ada, file);
    expect((await stat(file)).size).toBeGreaterThan(70 * megabyte);
    expect(service.process.exitCode).toBeNull();
  }, 400_000);

  it('waits for whoever does not read', async () => {
    const gone = new AbortController();
    const first = await scans();
    const response = await fetch(`${service.url}/v1/conversations/${id}/export`, {
      headers: bearer(ada),
      signal: gone.signal,
    });
    let [before, served] = [-1, await scans()];
    while (served !== before) {
      await delay(2_000); // the statistics of the database are a second behind
      [before, served] = [served, await scans()];
    }
    expect(served - first).toBeLessThan(messages / 100);
    gone.abort();
    await expect(response.text()).rejects.toThrow();
  });

  it('is imported, by another user too, and is the same', async () => {
    await record.sql`delete from conversations where id = ${id}`;
    expect(await upload(bob, join(directory, 'first.jsonl'))).toEqual({
      status: 200,
      body: {
        conversations: { created: 1, existing: 0 },
        messages: { imported: messages, unchanged: 0 },
        incomplete: [],
      },
    });
    expect(service.process.exitCode).toBeNull();
    expect(await download(bob, join(directory, 'second.jsonl'))).toBe(hash);
  }, 900_000);
});

/** How often the database has looked messages up: at least once for each page of a hundred. */
async function scans(): Promise<number> {
  const [row] = await record.sql`select idx_scan from pg_stat_user_indexes where indexrelname = 'messages_pkey'`;
  return Number(row?.idx_scan);
}
