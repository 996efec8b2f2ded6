import { z } from 'zod';
import { type Caller, role, type Tier, timestamp } from './conversation.ts';
import { limits } from './limits.ts';

/** Where the words of a query stand: in a message, or, with `seq` and `role` null, in the title of a conversation. */
export const searchHit = z.object({
  conversation_id: z.guid(),
  title: z.string().nullable(),
  seq: z.int().min(1).nullable(),
  role: role.nullable(),
  created_at: timestamp,
  /** 0 to 1,000,000. */
  score: z.int(),
  /** A passage of what was said, as it was said: text, not markup. */
  snippet: z.string(),
  /** The runs of the snippet that fit: from, and up to and without, in UTF-16 code units, as JavaScript counts. */
  highlights: z.array(z.tuple([z.int(), z.int()])),
});
export type SearchHit = z.output<typeof searchHit>;

const place = z.object({ conversation_id: z.guid(), seq: z.int().min(0), created_at: timestamp });

/** Where the next page begins: below the last hit of this one, among those behind the last 500 that were ranked. */
export const searchCursor = z.object({
  behind: place.nullable(),
  below: place.extend({ score: z.int() }).optional(),
});
export type SearchCursor = z.output<typeof searchCursor>;

export interface SearchRequest {
  /** Words that all have to be there, "a phrase", or, -not. Anything is taken; what has no word in it finds nothing. */
  readonly query: string;
  /** 1 to `limits.searchHitsPerPage`. */
  readonly limit: number;
  readonly conversationId: string | undefined;
  /** Only messages of that role, and no titles. */
  readonly role: z.output<typeof role> | undefined;
  /** Only what was written at `from` or later, and before `to`. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Whose; for the server. A user's own in any case. */
  readonly userId: string | undefined;
  readonly cursor: SearchCursor | undefined;
}

export interface SearchPage {
  readonly tier: Tier;
  /** The best first, among the newest 500 that fit; then those of the next 500, and so on. */
  readonly hits: readonly SearchHit[];
  /** Null: that was all. */
  readonly cursor: SearchCursor | null;
}

/** Finds what was said. Throws the errors of `errors.ts`. */
export interface Search {
  /** What has ended or was cleared is never found. Gives up with `CallerGone` when `signal` is aborted. */
  search(caller: Caller, request: SearchRequest, signal: AbortSignal): Promise<SearchPage>;
}

/** What somebody typed; its length is what costs. */
export const searchQuery = z.string().min(1).max(limits.searchQueryLength);
