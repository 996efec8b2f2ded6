import { describe, expect, it } from 'vitest';
import type { PageRequest } from '../../../service/conversation/conversation-store.ts';
import { limits } from '../../../service/conversation/limits.ts';
import { pageOf, type ThreadWindow } from '../../../service/conversation/thread-page.ts';

const window = (first: number, last: number, bytes = 100): ThreadWindow => ({
  messages: Array.from({ length: last - first + 1 }, (_, index) => ({
    message: {
      seq: first + index,
      client_message_id: String(first + index),
      role: 'user',
      content: '',
      metadata: {},
      created_at: '2026-01-01T00:00:00Z',
    },
    bytes,
  })),
  hasEarlier: first > 1,
});
const page = (held: ThreadWindow, request: PageRequest) => {
  const found = pageOf(held, request);
  return found && [found.messages.map(({ seq }) => seq), found.has_earlier, found.has_later];
};

describe('a page of a whole thread', () => {
  const whole = window(1, 6);
  it.each<[string, PageRequest, unknown]>([
    ['the newest', { limit: 3 }, [[4, 5, 6], true, false]],
    ['all', { limit: 6 }, [[1, 2, 3, 4, 5, 6], false, false]],
    ['before one', { limit: 2, before: 4 }, [[2, 3], true, true]],
    ['before the first', { limit: 2, before: 1 }, [[], false, true]],
    ['before what is not there yet', { limit: 2, before: 99 }, [[5, 6], true, false]],
    ['after one', { limit: 2, after: 3 }, [[4, 5], true, true]],
    ['after none', { limit: 2, after: 0 }, [[1, 2], false, true]],
    ['after the last', { limit: 2, after: 6 }, [[], true, false]],
    ['after what is not there yet', { limit: 2, after: 99 }, [[], true, false]],
  ])('holds %s', (_what, request, expected) => {
    expect(page(whole, request)).toEqual(expected);
  });

  it('is empty where nothing was said', () => {
    const empty: ThreadWindow = { messages: [], hasEarlier: false };
    for (const request of [{ limit: 5 }, { limit: 5, before: 3 }, { limit: 5, after: 3 }]) {
      expect(page(empty, request)).toEqual([[], false, false]);
    }
  });
});

describe('a page of the newest part of a thread', () => {
  const newest = window(51, 60);
  it.each<[string, PageRequest, unknown]>([
    [
      'the newest, though there may be fewer than asked for',
      { limit: 100 },
      [[51, 52, 53, 54, 55, 56, 57, 58, 59, 60], true, false],
    ],
    ['what lies in it', { limit: 2, before: 55 }, [[53, 54], true, true]],
    ['what begins where it begins', { limit: 2, before: 53 }, [[51, 52], true, true]],
    ['what comes after its edge', { limit: 2, after: 50 }, [[51, 52], true, true]],
  ])('holds %s', (_what, request, expected) => {
    expect(page(newest, request)).toEqual(expected);
  });

  it.each<[string, PageRequest]>([
    ['reaches back over its edge', { limit: 5, before: 54 }],
    ['lies before it', { limit: 5, before: 51 }],
    ['begins before it', { limit: 5, after: 49 }],
  ])('is not known when it %s', (_what, request) => {
    expect(pageOf(newest, request)).toBeUndefined();
  });

  it('is not known when the part is empty', () => {
    expect(pageOf({ messages: [], hasEarlier: true }, { limit: 5 })).toBeUndefined();
  });
});

it('ends a page with the message that fills it', () => {
  const heavy = window(1, 6, limits.pageBytes / 2);
  expect(page(heavy, { limit: 10 })).toEqual([[5, 6], true, false]);
  expect(page(heavy, { limit: 10, after: 1 })).toEqual([[2, 3], true, true]);
  expect(page(window(1, 3, limits.pageBytes * 2), { limit: 10 })).toEqual([[3], true, false]);
});
