import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../../service/conversation/conversation.ts';
import { ThreadNotFound } from '../../../service/conversation/errors.ts';
import { limits } from '../../../service/conversation/limits.ts';
import type { ThreadDocuments } from '../../../service/conversation/thread-documents.ts';
import type { TestUser } from '../../real/service/servers.ts';
import { type ThreadBackend, threadBackends } from './backends.ts';

const server: Caller = { kind: 'server' };
const day = 86_400;

describe.each(Object.entries(threadBackends))('documents of threads in %s', (_name, start) => {
  let backend: ThreadBackend;
  let threads: ThreadDocuments;
  let user: TestUser;

  beforeAll(async () => {
    backend = await start();
    threads = backend.threads;
    user = await backend.signUp();
  });
  afterAll(() => backend?.close());

  const get = (id: string, caller: Caller = server) => threads.get(caller, id, new AbortController().signal);
  const expired = (id: string) =>
    expect.poll(() => get(id).catch((error: unknown) => error), { timeout: 20_000 }).toBeInstanceOf(ThreadNotFound);

  it('come back as they were put, until when', async () => {
    const id = randomUUID();
    const document = { turns: [{ tool: 'chat', text: 'Ünïcødé 😀 \u2028 "quoted"' }], n: 1.5, none: null, empty: {} };
    const head = await threads.put(server, id, document, 600);
    expect(head.thread_id).toBe(id);
    const lives = Date.parse(head.expires_at) - Date.parse(head.updated_at);
    expect(lives).toBe(600_000);
    expect(await get(id)).toEqual({ ...head, document });
  });

  it('replace the one before, whose beginning stays', async () => {
    const id = randomUUID();
    const first = await threads.put(server, id, { a: 1, old: true }, day);
    const second = await threads.put(server, id, { a: 2 }, day);
    expect(second.created_at).toBe(first.created_at);
    expect(Date.parse(second.updated_at)).toBeGreaterThanOrEqual(Date.parse(first.updated_at));
    expect((await get(id)).document).toEqual({ a: 2 });
  });

  it('are those of their owner: the same id is another thread for another', async () => {
    const id = 'shared.id:~_-1';
    const other = await backend.signUp();
    await threads.put(user, id, { of: 'user' }, day);
    await threads.put(server, id, { of: 'server' }, day);
    await expect(get(id, other)).rejects.toThrow(ThreadNotFound);
    await expect(threads.delete(other, id)).rejects.toThrow(ThreadNotFound);
    await threads.put(other, id, { of: 'other' }, day);
    expect((await get(id, user)).document).toEqual({ of: 'user' });
    expect((await get(id, other)).document).toEqual({ of: 'other' });
    expect((await get(id)).document).toEqual({ of: 'server' });
  });

  it('are gone when they are deleted', async () => {
    const id = randomUUID();
    await expect(get(id)).rejects.toThrow(ThreadNotFound);
    await threads.put(server, id, {}, day);
    await threads.delete(server, id);
    await expect(get(id)).rejects.toThrow(ThreadNotFound);
    await expect(threads.delete(server, id)).rejects.toThrow(ThreadNotFound);
  });

  it('expire, are cleaned up, and can be begun anew', async () => {
    const [id, left] = [randomUUID(), randomUUID()];
    const before = await threads.put(server, id, { old: true }, 1);
    await threads.put(server, left, { old: true }, 1);
    await expired(id);
    await expired(left);
    await expect(threads.delete(server, left)).rejects.toThrow(ThreadNotFound);
    const again = await threads.put(server, id, { new: true }, day);
    expect(Date.parse(again.created_at)).toBeGreaterThan(Date.parse(before.created_at));
    const gone = randomUUID();
    await threads.put(server, gone, {}, 1);
    await expired(gone);
    expect(await threads.cleanUp()).toBeGreaterThanOrEqual(1);
    expect(await threads.cleanUp()).toBe(0);
    expect((await get(id)).document).toEqual({ new: true });
  });

  it('live anew with every put, and no longer by being read', async () => {
    const id = randomUUID();
    await threads.put(server, id, { n: 1 }, 1);
    await threads.put(server, id, { n: 2 }, day);
    const kept = randomUUID();
    await threads.put(server, kept, {}, 1);
    await expired(kept); // by then the first life of the other one is over, too
    expect((await get(id)).document).toEqual({ n: 2 });
  });

  it('take as much as the limit says', async () => {
    const id = randomUUID();
    const document = { text: 'é'.repeat((limits.threadDocumentBytes - 20) / 2) };
    await threads.put(user, id, document, day);
    expect((await get(id, user)).document).toEqual(document);
  });

  it('have one winner when many put at once', async () => {
    const id = randomUUID();
    const heads = await Promise.all(Array.from({ length: 10 }, (_, n) => threads.put(user, id, { n }, day)));
    expect(heads).toHaveLength(10);
    expect((await get(id, user)).document).toEqual({ n: expect.any(Number) });
  });

  it('of a user are erased together, and nobody else’s', async () => {
    const leaving = await backend.signUp();
    await threads.put(leaving, 'one', {}, day);
    await threads.put(leaving, 'two', {}, day);
    await threads.put(user, 'one', {}, day);
    expect(await threads.eraseUser(server, leaving.id)).toBe(2);
    await expect(get('one', leaving)).rejects.toThrow(ThreadNotFound);
    expect(await threads.eraseUser(leaving, leaving.id)).toBe(0);
    expect((await get('one', user)).document).toEqual({});
  });
});
