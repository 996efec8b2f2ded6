import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { role } from '../../conversation/conversation.ts';
import { limits } from '../../conversation/limits.ts';
import { ownerOf } from '../../conversation/owner.ts';
import { type Search, type SearchCursor, searchCursor, searchHit, searchQuery } from '../../conversation/search.ts';
import { type App, answeredBy } from '../environment.ts';
import { problems, storedReply } from '../replies.ts';
import { integerParameter, query } from '../request-input.ts';

const time = z.iso.datetime({ offset: true });

const searchParameters = z.strictObject({
  q: searchQuery
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'has a NUL character or half a surrogate pair')
    .meta({ description: 'Words that all have to be there, `"a phrase"`, `or`, `-not`. Anything is taken.' }),
  limit: integerParameter(1, limits.searchHitsPerPage).default(20),
  cursor: z
    .string()
    .max(1000)
    .transform((text, context) => {
      const cursor = decoded(text);
      if (cursor !== undefined) return cursor;
      context.addIssue({ code: 'custom', message: 'is no cursor: it takes the next_cursor of a reply' });
      return z.NEVER;
    })
    .optional()
    .meta({ description: '`next_cursor` of the page before, with everything else as it was there.' }),
  conversation_id: z.guid().toLowerCase().optional().meta({ description: 'Only in this conversation.' }),
  role: role.optional().meta({ description: 'Only messages of this role, and no titles.' }),
  from: time.optional().meta({ description: 'Only what was written then or later.' }),
  to: time.optional().meta({ description: 'Only what was written before.' }),
  user_id: z
    .guid()
    .toLowerCase()
    .optional()
    .meta({ description: 'Whose, if the server asks; left out: all. A user finds no others than their own.' }),
});

const foundBody = z
  .object({
    hits: z
      .array(
        searchHit
          .extend({
            seq: searchHit.shape.seq.meta({ description: 'Null: it is the title that fits.' }),
            snippet: searchHit.shape.snippet.meta({ description: 'A passage: text, not markup.' }),
            highlights: searchHit.shape.highlights.meta({
              description: 'What fits in the snippet: [from, to) in UTF-16 code units.',
            }),
          })
          .meta({ id: 'SearchHit' }),
      )
      .meta({ description: 'The best first, among the newest 500 that fit; then those of the next 500, and so on.' }),
    next_cursor: z.string().nullable().meta({ description: 'Null: that was all.' }),
  })
  .meta({ id: 'Found' });

const search = createRoute({
  method: 'get',
  path: '/v1/search',
  tags: ['search'],
  summary: 'Find what was said',
  description:
    'In messages and titles. A word finds what begins with it, but for those in a phrase and those that are excluded. ' +
    'Messages of conversations that have ended, and those that were cleared, are not found.',
  request: { query: searchParameters },
  responses: { 200: storedReply(foundBody, 'A page of what fits.'), ...problems(400, 401, 403, 501, 503) },
});

export function addSearchRoutes(app: App, searching: Search): void {
  app.openAPIRegistry.registerPath(search);
  app.get(search.getRoutingPath(), async (c) => {
    const { q, limit, cursor, conversation_id: conversationId, role, from, to, user_id } = query(c, searchParameters);
    const caller = c.get('caller');
    const userId = ownerOf(caller, user_id, 'searching what others said') ?? undefined;
    const request = { query: q, limit, cursor, conversationId, role, from, to, userId };
    const found = await searching.search(caller, request, c.req.raw.signal);
    answeredBy(c, found.tier);
    return c.json({ hits: found.hits, next_cursor: found.cursor && encoded(found.cursor) }, 200);
  });
}

function encoded(cursor: SearchCursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

/** Undefined for what was never given to anybody. */
function decoded(text: string): SearchCursor | undefined {
  try {
    return searchCursor.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString())).data;
  } catch {
    return undefined; // no JSON: no cursor
  }
}
