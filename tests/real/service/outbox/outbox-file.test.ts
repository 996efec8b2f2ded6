import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../../../service/conversation/conversation.ts';
import {
  ClientMessageIdReused,
  ConversationNotFound,
  RecordUnavailable,
} from '../../../../service/conversation/errors.ts';
import { Outbox } from '../../../../service/storage/outbox/outbox.ts';
import { OutboxFailed, OutboxFile, OutboxNotWritten } from '../../../../service/storage/outbox/outbox-file.ts';
import { leaseTimes, OutboxLease } from '../../../../service/storage/outbox/outbox-lease.ts';
import { OutboxRefused } from '../../../../service/storage/outbox/outbox-refused.ts';
import { say } from '../dual.ts';
import { head } from './heads.ts';

const server: Caller = { kind: 'server' };
let directory: string;
let files: OutboxFile[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'outbox-'));
  files = [];
});
afterEach(async () => {
  for (const file of files) file.close();
  await rm(directory, { recursive: true });
});

function open(): OutboxFile {
  const file = OutboxFile.open(directory);
  files.push(file);
  return file;
}

describe('what is queued', () => {
  it('is there for every process, in the order in which it was acknowledged', async () => {
    const outbox = new Outbox(open());
    const known = head();
    const names = Array.from({ length: 50 }, (_, index) => String(index));
    await Promise.all(names.map((name) => outbox.append(server, known.id, known, [say(`text ${name}`, name)])));
    const other = new Outbox(open());
    expect(other.pending(known.id).map(({ client_message_id: name }) => name)).toEqual(names);
    expect(other.totals()).toMatchObject({ messages: 50, conversations: 1 });
  });

  it('is there once: the same again is a duplicate, another content is refused, and takes nothing with it', async () => {
    const outbox = new Outbox(open());
    const known = head();
    const first = await outbox.append(server, known.id, known, [say('a', 'm1')]);
    const again = await outbox.append(server, known.id, known, [say('a', 'm1'), say('b', 'm2')]);
    expect(first?.receipts).toMatchObject([{ seq: null, duplicate: false }]);
    expect(again?.receipts).toMatchObject([
      { client_message_id: 'm1', seq: null, duplicate: true, created_at: first?.receipts[0]?.created_at },
      { client_message_id: 'm2', seq: null, duplicate: false },
    ]);
    const [refused, other] = await Promise.allSettled([
      outbox.append(server, known.id, known, [say('c', 'm3'), say('other', 'm1')]),
      outbox.append(server, known.id, known, [say('d', 'm4')]), // shares the transaction
    ]);
    expect(refused).toMatchObject({ reason: expect.any(ClientMessageIdReused) });
    expect(other.status).toBe('fulfilled');
    expect(outbox.pending(known.id).map(({ content }) => content)).toEqual(['a', 'b', 'd']);
  });

  it('is for whoever owns the conversation, as long as it lives', async () => {
    const outbox = new Outbox(open());
    const owner: Caller = { kind: 'user', id: randomUUID(), token: 'unused' };
    const stranger: Caller = { kind: 'user', id: randomUUID(), token: 'unused' };
    const known = head({ user_id: owner.id });
    await expect(outbox.append(stranger, known.id, known, [say('x')])).rejects.toThrow(ConversationNotFound);
    expect(await outbox.append(owner, known.id, undefined, [say('x')])).toBeUndefined();
    await outbox.append(owner, known.id, known, [say('a')]);
    await expect(outbox.append(stranger, known.id, undefined, [say('x')])).rejects.toThrow(ConversationNotFound);
    expect(await outbox.append(owner, known.id, undefined, [say('b')])).toBeDefined();
    const over = head({ user_id: owner.id, expires_at: new Date(Date.now() - 1).toISOString() });
    await expect(outbox.append(owner, over.id, over, [say('x')])).rejects.toThrow(ConversationNotFound);
    expect(outbox.pending(known.id).map(({ content }) => content)).toEqual(['a', 'b']);
  });

  it('touches the conversation: it lives on from there', async () => {
    let now = Date.now();
    const outbox = new Outbox(open(), () => now);
    const known = head({
      expires_at: new Date(now + 3_600_000).toISOString(),
      accessed_at: new Date(now).toISOString(),
    });
    for (let hours = 0; hours < 3; hours += 1) {
      await outbox.append(server, known.id, known, [say(String(hours))]);
      now += 3_000_000;
    }
    now += 3_600_000;
    await expect(outbox.append(server, known.id, known, [say('late')])).rejects.toThrow(ConversationNotFound);
  });

  it('is handed out in whole appends, no more than one request takes', async () => {
    const outbox = new Outbox(open());
    const known = head();
    for (let append = 0; append < 4; append += 1) {
      const messages = Array.from({ length: 40 }, (_, index) => say('x', `${append}/${index}`));
      await outbox.append(server, known.id, known, messages);
    }
    const chunk = outbox.next(known.id, 100);
    expect(chunk).toMatchObject({ appends: 2 });
    expect(chunk?.messages).toHaveLength(80);
    expect(outbox.next(known.id, 1)?.messages).toHaveLength(40);
    await outbox.replayed(known.id, chunk?.positions ?? []);
    expect(outbox.next(known.id, 100)?.messages[0]?.client_message_id).toBe('2/0');
  });
});

describe('what was refused', () => {
  it('waits for a person, and can be queued again or discarded', async () => {
    const file = open();
    const outbox = new Outbox(file);
    const refused = new OutboxRefused(file);
    const known = head();
    await outbox.create(known, 3600);
    await outbox.append(server, known.id, undefined, [say('a', 'm1'), say('b', 'm2')]);
    await outbox.append(server, known.id, undefined, [say('c', 'm3')]);
    await refused.add(known.id, 'user_not_found', 'all');
    expect(outbox.holds(known.id)).toBe(false);
    expect(refused.entries(false)).toMatchObject([{ code: 'user_not_found', is_new: true, message_count: 3 }]);
    expect(refused.entries(false)[0]).not.toHaveProperty('messages');
    expect(refused.entries(true)[0]?.messages?.map(({ content }) => content)).toEqual(['a', 'b', 'c']);

    const [entry] = refused.entries(false);
    expect(await refused.retry(entry?.id ?? 0)).toBe(true);
    expect(await refused.retry(entry?.id ?? 0)).toBe(false);
    expect(outbox.find(known.id)).toMatchObject({ isNew: true });
    expect(outbox.next(known.id, 1)?.messages).toHaveLength(2);

    const second = outbox.next(known.id, 1)?.positions ?? [];
    await refused.add(known.id, 'refused_by_record', second);
    expect(outbox.pending(known.id).map(({ content }) => content)).toEqual(['c']);
    expect(await refused.discard(refused.entries(false)[0]?.id ?? 0)).toBe(true);
    expect(refused.count).toBe(0);
  });
});

describe('a user who is erased', () => {
  it('leaves no byte in the directory', async () => {
    const file = open();
    const outbox = new Outbox(file);
    const refused = new OutboxRefused(file);
    const user: Caller = { kind: 'user', id: randomUUID(), token: 'unused' };
    const secret = `secret-${randomUUID()}`;
    const others = [];
    for (let index = 0; index < 30; index += 1) {
      const mine = head({ user_id: user.id, title: secret });
      const other = head({ user_id: randomUUID() });
      others.push(other);
      const text = `${secret} ${'x'.repeat((index * 997) % 20_000)}`;
      await outbox.append(user, mine.id, mine, [say(text), say(secret)]);
      await outbox.append(server, other.id, other, [say(`kept ${'y'.repeat((index * 331) % 9_000)}`)]);
      if (index % 3 === 0) await refused.add(mine.id, 'conversation_not_found', 'all');
    }
    expect(await bytesHold(secret)).toBe(true);
    await outbox.erase(user.id);
    expect(await bytesHold(secret)).toBe(false);
    expect(await bytesHold(user.id)).toBe(false);
    for (const other of others) expect(outbox.pending(other.id)).toHaveLength(1);
  });

  it('leaves none either when the messages were replayed or discarded before', async () => {
    const file = open();
    const outbox = new Outbox(file);
    const known = head();
    const secret = `secret-${randomUUID()}`;
    await outbox.append(server, known.id, known, [say(secret.repeat(300))]);
    await outbox.replayed(known.id, outbox.next(known.id, 1)?.positions ?? []);
    outbox.tidy();
    expect(await bytesHold(secret)).toBe(false);
  });

  async function bytesHold(text: string): Promise<boolean> {
    const names = await readdir(directory);
    expect(names.length).toBeGreaterThan(0);
    const contents = await Promise.all(names.map((name) => readFile(join(directory, name))));
    return contents.some((content) => content.includes(text));
  }
});

describe('a lease', () => {
  it('is held by one, until it is given up or runs out; no clock moves it', async () => {
    let now = 1_000_000;
    const [one, two] = ['one', 'two'].map((owner) => new OutboxLease(open(), 'replay', owner, () => now));
    expect(await one?.take()).toBe(true);
    expect(await two?.take()).toBe(false);
    now += leaseTimes.term - 1;
    expect(await one?.take()).toBe(true);
    now += leaseTimes.term - 1;
    expect(await two?.take()).toBe(false);
    now += 1;
    expect(two?.isHeld()).toBe(false);
    expect(await two?.take()).toBe(true);
    expect(await one?.take()).toBe(false);
    await two?.giveUp();
    expect(await one?.take()).toBe(true);
    now = 1000; // the machine was started again: what is left of before binds nobody
    expect(two?.isHeld()).toBe(false);
    expect(await two?.take()).toBe(true);
  });
});

describe('the file', () => {
  it('is for nobody else to read', async () => {
    await new Outbox(open()).create(head(), 60);
    for (const name of await readdir(directory)) expect((await stat(join(directory, name))).mode & 0o077).toBe(0);
  });

  it('in a place that can not be written fails with the name of the setting', async () => {
    await writeFile(join(directory, 'file'), '');
    expect(() => OutboxFile.open(join(directory, 'file', 'outbox'))).toThrow(OutboxFailed);
    expect(() => OutboxFile.open(join(directory, 'file', 'outbox'))).toThrow(/OUTBOX_DIRECTORY/);
  });

  it('that is damaged fails, and says what can be done', async () => {
    const file = OutboxFile.open(directory);
    const outbox = new Outbox(file);
    const known = head();
    for (let index = 0; index < 40; index += 1) await outbox.append(server, known.id, known, [say('x'.repeat(3000))]);
    file.close();
    const path = join(directory, 'outbox.sqlite');
    const bytes = await readFile(path);
    for (let page = 4096 * 3; page < bytes.length; page += 4096) bytes.fill(0xa5, page, page + 200);
    await writeFile(path, bytes);
    expect(() => OutboxFile.open(directory)).toThrow(/is damaged .*recover/);
    await writeFile(path, 'something else');
    expect(() => OutboxFile.open(directory)).toThrow(/is damaged .*recover/);
  });

  it('of a newer release is left alone', () => {
    OutboxFile.open(directory).close();
    const database = new DatabaseSync(join(directory, 'outbox.sqlite'));
    database.exec('pragma user_version = 99');
    database.close();
    expect(() => OutboxFile.open(directory)).toThrow(/schema version 99/);
  });

  it('that can not be written acknowledges nothing, and takes again what comes when it can', async () => {
    const file = open();
    const outbox = new Outbox(file);
    const known = head();
    await outbox.append(server, known.id, known, [say('a')]);
    const other = new DatabaseSync(join(directory, 'outbox.sqlite'));
    other.exec(`create trigger full before insert on messages begin select raise(abort, 'disk full'); end`);
    const refused = await outbox.append(server, known.id, known, [say('b')]).catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: 'RecordUnavailable', cause: expect.any(OutboxNotWritten) });
    expect(refused).toBeInstanceOf(RecordUnavailable);
    expect(file.trouble).toBeInstanceOf(OutboxNotWritten);
    other.exec('drop trigger full');
    other.close();
    await outbox.append(server, known.id, known, [say('c')]);
    expect(file.trouble).toBeUndefined();
    expect(outbox.pending(known.id).map(({ content }) => content)).toEqual(['a', 'c']);
  });
});
