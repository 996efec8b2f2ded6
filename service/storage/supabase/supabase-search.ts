import { z } from 'zod';
import type { Caller } from '../../conversation/conversation.ts';
import {
  type Search,
  type SearchHit,
  type SearchPage,
  type SearchRequest,
  searchCursor,
  searchHit,
} from '../../conversation/search.ts';
import type { SupabaseCalls } from './supabase-calls.ts';

const found = z.object({
  hits: z.array(searchHit.omit({ highlights: true })),
  cursor: searchCursor.nullable(),
});

// What stands before and behind words that fit, in what search_messages returns.
const begin = '\u0002';
const end = '\u0003';

/** Full-text search in PostgreSQL: one call. */
export class SupabaseSearch implements Search {
  readonly #calls: SupabaseCalls;

  constructor(calls: SupabaseCalls) {
    this.#calls = calls;
  }

  async search(caller: Caller, request: SearchRequest, signal: AbortSignal): Promise<SearchPage> {
    const input = {
      query: request.query,
      max_hits: request.limit,
      conversation_id: request.conversationId ?? null,
      role: request.role ?? null,
      from_time: request.from ?? null,
      to_time: request.to ?? null,
      user_id: request.userId ?? null,
      cursor: request.cursor ?? null,
    };
    const { hits, cursor } = await this.#calls.call(caller, 'search_messages', input, found, signal);
    return { tier: 'supabase', hits: hits.map((hit) => ({ ...hit, ...unmarked(hit.snippet) })), cursor };
  }
}

/** The text without marks, and where they stood. One that was cut off in the middle ends with the text. */
export function unmarked(marked: string): Pick<SearchHit, 'snippet' | 'highlights'> {
  const [before = '', ...marks] = marked.split(begin);
  let snippet = before;
  const highlights: [number, number][] = [];
  for (const mark of marks) {
    const [fitting = '', ...rest] = mark.split(end);
    if (fitting !== '') highlights.push([snippet.length, snippet.length + fitting.length]);
    snippet += fitting + rest.join('');
  }
  return { snippet, highlights };
}
