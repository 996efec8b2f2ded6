import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AnswerJournal, type JournalEntry } from '../../../service/chat/answer-journal.ts';
import { AnswerKeeper } from '../../../service/chat/answer-keeper.ts';
import {
  ClientMessageIdReused,
  ConversationNotFound,
  RecordUnavailable,
} from '../../../service/conversation/errors.ts';
import { until } from './chat-client.ts';

const key = { conversationId: 'c1', name: 'q1:answer' };
const entry: JournalEntry = {
  ...key,
  content: 'an answer',
  metadata: {
    status: 'complete',
    in_reply_to: 'q1',
    upstream: 'local',
    model: 'small',
    ms: 5,
    history: { sent: 1, dropped: 0 },
  },
};
const away = new RecordUnavailable({ cause: new Error('away') });
const never = new AbortController().signal;

let directory: string;
let stored: JournalEntry[];
let troubles: unknown[];
/** What becomes of what is stored. */
let outcome: Error | undefined;
let keepers: AnswerKeeper[];

function keeper(owner: string, now?: () => number): AnswerKeeper {
  const made = new AnswerKeeper({
    journal: new AnswerJournal(directory, owner, now),
    store: async (given) => {
      if (outcome !== undefined) throw outcome;
      stored.push(given);
    },
    onTrouble: (error) => troubles.push(error),
  });
  keepers.push(made);
  return made;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'chat-keeper-'));
  [stored, troubles, outcome, keepers] = [[], [], undefined, []];
});
afterEach(async () => {
  for (const each of keepers) await each.close();
  await rm(directory, { recursive: true, force: true });
});

describe('a turn', () => {
  it('is waited for while another process has it, and says so', async () => {
    const [one, two] = [keeper('one'), keeper('two')];
    const first = await one.turn(key, never);
    expect(first.hasWaited).toBe(false);
    const second = two.turn(key, never);
    first.end();
    expect((await second).hasWaited).toBe(true);
    const reason = new Error('enough');
    await expect(one.turn(key, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('is had without a journal, too', async () => {
    const bare = new AnswerKeeper({ journal: undefined, store: async () => undefined, onTrouble: () => undefined });
    expect((await bare.turn(key, never)).hasWaited).toBe(false);
    await bare.close();
  });
});

describe('an answer that could not be stored', () => {
  it('is stored before anybody asks for it again', async () => {
    const one = keeper('one');
    (await one.turn(key, never)).leave(entry);
    outcome = away;
    await expect(one.turn(key, never)).rejects.toBe(away);
    outcome = undefined;
    expect((await one.turn(key, never)).hasWaited).toBe(true);
    expect(stored).toEqual([entry]);
  });

  it('is tried again until it is', async () => {
    const one = keeper('one');
    outcome = away;
    (await one.turn(key, never)).leave(entry);
    await until(async () => troubles.length > 0);
    expect(troubles[0]).toBe(away);
    outcome = undefined;
    await until(async () => stored.length > 0);
    expect(stored).toEqual([entry]);
  });
});

describe('an answer of a process that is gone', () => {
  const leaveBehind = async (what: JournalEntry) => {
    const gone = new AnswerJournal(directory, 'gone');
    gone.claim(key);
    gone.keep([what]);
    gone.close();
  };
  const later = () => Math.round(performance.now()) + 10 ** 9;

  it('is stored by the next one', async () => {
    await leaveBehind(entry);
    const one = keeper('one', later);
    await until(async () => stored.length > 0);
    expect(stored).toEqual([entry]);
    expect((await one.turn(key, never)).hasWaited).toBe(false);
  });

  it.each<[string, JournalEntry, Error | undefined]>([
    ['had said nothing', { ...entry, content: '' }, undefined],
    ['had stored it, and said more', entry, new ClientMessageIdReused('q1:answer', 2)],
    ['was in a conversation that is gone', entry, new ConversationNotFound()],
  ])('is let go when that %s', async (_what, left, problem) => {
    outcome = problem;
    await leaveBehind(left);
    const one = keeper('one', later);
    (await one.turn(key, never)).end();
    expect([stored, troubles]).toEqual([[], []]);
  });
});
