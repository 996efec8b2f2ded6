import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AnswerJournal } from '../../../service/chat/answer-journal.ts';
import type { AnswerMetadata } from '../../../service/chat/chat.ts';

const key = { conversationId: 'c1', name: 'q1:answer' };
const metadata: AnswerMetadata = {
  status: 'incomplete',
  reason: 'process_ended',
  in_reply_to: 'q1',
  upstream: 'local',
  model: 'small',
  ms: 5,
  history: { sent: 1, dropped: 0 },
};
let directory: string;
let now: number;
let open: AnswerJournal[];
const journal = (owner: string) => {
  const opened = new AnswerJournal(directory, owner, () => now);
  open.push(opened);
  return opened;
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-journal-'));
  now = 100_000;
  open = [];
});
afterEach(async () => {
  for (const each of open) each.close();
  await rm(directory, { recursive: true, force: true });
});

describe('the journal of answers', () => {
  it('gives an answer to one process at a time', () => {
    const [one, two] = [journal('one'), journal('two')];
    expect([one.claim(key), two.claim(key), one.claim(key)]).toEqual([true, false, false]);
    expect(two.claim({ ...key, name: 'q2:answer' })).toBe(true);
    two.release(key);
    expect(two.claim(key)).toBe(false);
    one.release(key);
    expect(two.claim(key)).toBe(true);
  });

  it('hands on what a process said that is gone, to one other', () => {
    const [one, two, three] = [journal('one'), journal('two'), journal('three')];
    one.claim(key);
    one.keep([{ ...key, content: 'so far', metadata }]);
    now += 14_000;
    expect(two.takeAbandoned()).toEqual([]);
    now += 2_000;
    expect(two.takeAbandoned()).toEqual([{ ...key, content: 'so far', metadata }]);
    expect(three.takeAbandoned()).toEqual([]);
    one.keep([{ ...key, content: 'back from the dead', metadata }]);
    one.release(key);
    expect(three.claim(key)).toBe(false);
    two.release(key);
    expect(three.claim(key)).toBe(true);
  });

  it('leaves what is kept alive', () => {
    const [one, two] = [journal('one'), journal('two')];
    one.claim(key);
    for (let second = 0; second < 30; second += 1) {
      now += 1_000;
      one.keep([{ ...key, content: 'still at it', metadata }]);
      expect(two.takeAbandoned()).toEqual([]);
    }
  });

  it('hands on what was there when the machine was started again', () => {
    journal('one').claim(key);
    now = 50;
    expect(journal('two').takeAbandoned()).toEqual([{ ...key, content: '', metadata: undefined }]);
  });

  it('is for its owner only, and holds nothing that was released', async () => {
    const one = journal('one');
    one.claim(key);
    one.keep([{ ...key, content: 'what somebody was told', metadata }]);
    one.release(key);
    one.close();
    open = [];
    const path = join(directory, 'chat-answers.sqlite');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readFile(path)).includes('what somebody was told')).toBe(false);
  });
});
