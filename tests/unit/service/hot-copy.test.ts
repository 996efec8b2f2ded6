import { describe, expect, it } from 'vitest';
import type { Conversation, Message } from '../../../service/conversation/conversation.ts';
import { decodeCopy, encode, encodeCopy } from '../../../service/storage/hot-copies/hot-copy.ts';

const time = '2026-01-01T00:00:00.123456+00:00';
const conversation = (lastSeq: number): Conversation => ({
  id: '5b0b0f5e-1f7b-4c3e-9f59-0e6f5a3f2c11',
  user_id: null,
  continuation_id: '5b0b0f5e-1f7b-4c3e-9f59-0e6f5a3f2c12',
  title: 'Ä title',
  metadata: { list: [], empty: {} },
  last_seq: lastSeq,
  cleared_seq: 0,
  forked_from: null,
  created_at: time,
  updated_at: time,
  accessed_at: time,
  expires_at: null,
  deleted_at: null,
});
const message = (seq: number): Message => ({
  seq,
  client_message_id: `m${seq}`,
  role: 'user',
  content: seq % 2 === 0 ? `text ${seq} 😀` : [{ type: 'text', text: 'ä' }],
  metadata: { n: 1.5 },
  created_at: time,
});
const copyOf = (first: number, last: number) =>
  encodeCopy(
    conversation(last),
    Array.from({ length: last - first + 1 }, (_, index) => message(first + index)),
    first > 1,
    1000,
  );

describe('a hot copy', () => {
  it('comes back as it was put in', () => {
    expect(decodeCopy(copyOf(3, 6))).toMatchObject({
      copy: {
        conversation: conversation(6),
        checked: 1000,
        window: { hasEarlier: true, messages: [3, 4, 5, 6].map((seq) => ({ message: message(seq) })) },
      },
    });
    expect(decodeCopy(encodeCopy(conversation(0), [], false, 1))).toMatchObject({ copy: { window: { messages: [] } } });
  });

  it('is absent where there is nothing, or only somebody who wants to fill it', () => {
    expect(decodeCopy([])).toBe('absent');
    expect(decodeCopy(['{"format":1,"writers":{},"filler":"f"}'])).toBe('absent');
  });

  it('is busy as long as somebody writes', () => {
    const [, ...rest] = copyOf(1, 2);
    const control = '{"format":1,"writers":{"w":99},"last":2,"count":2,"bytes":9,"earlier":false,"checked":1}';
    expect(decodeCopy([control, ...rest])).toBe('busy');
    expect(decodeCopy(['{"format":1,"writers":{"w":99}}'])).toBe('busy');
  });

  it.each<[string, (list: string[]) => string[]]>([
    ['without its last message', (list) => list.slice(0, -1)],
    ['without its first message', ([control = '', head = '', , ...rest]) => [control, head, ...rest]],
    ['without a message in the middle', (list) => list.toSpliced(3, 1)],
    ['without its messages', ([control = '', head = '']) => [control, head]],
    ['without its conversation', ([control = '', , ...rest]) => [control, ...rest]],
    ['with a message twice', (list) => list.toSpliced(3, 0, list[3] ?? '')],
    ['with one message in place of another', (list) => list.toSpliced(3, 1, list[4] ?? '')],
    ['with two messages swapped', (list) => list.toSpliced(3, 2, list[4] ?? '', list[3] ?? '')],
    ['with a message too many', (list) => [...list, encode(message(7))]],
    ['with the conversation of another time', (list) => list.toSpliced(1, 1, encode(conversation(5)))],
    ['of another format', ([control = '', ...rest]) => [control.replace('"format":1', '"format":2'), ...rest]],
    ['whose control is no JSON', ([, ...rest]) => ['nonsense', ...rest]],
    ['that says it is shorter', ([control = '', ...rest]) => [control.replace('"last":6', '"last":5'), ...rest]],
  ])('is torn %s', (_what, damage) => {
    expect(decodeCopy(damage(copyOf(3, 6)))).toBe('torn');
  });

  it('is torn with any one character of it changed, or it says the same', () => {
    const whole = copyOf(1, 2);
    const intact = decodeCopy(whole);
    if (typeof intact === 'string') throw new Error('the copy is not whole to begin with');
    for (const [place, text] of whole.entries()) {
      for (let at = 0; at < text.length; at += 1) {
        const flipped = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
        const decoded = decodeCopy(whole.toSpliced(place, 1, flipped));
        // What the control says beside the place of the messages is not content: who writes, and since when it is known.
        if (typeof decoded === 'object')
          expect(decoded.copy.window.messages, `${place}:${at}`).toEqual(intact.copy.window.messages);
        if (place > 0) expect(decoded, `${place}:${at}`).toBe('torn');
      }
    }
  });
});
