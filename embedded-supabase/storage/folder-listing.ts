import { type RawBuilder, sql } from 'kysely';
import { z } from 'zod';

/** What a client may ask of `list()`. */
const listing = z.object({
  prefix: z.string().default(''),
  search: z.string().default(''),
  limit: z.number().int().min(0).default(100),
  offset: z.number().int().min(0).default(0),
  sortBy: z
    .object({
      column: z.enum(['name', 'created_at', 'updated_at', 'last_accessed_at']).default('name'),
      order: z.enum(['asc', 'desc']).default('asc'),
    })
    .prefault({}),
});

/** A file, or a folder: then everything but its name is null. */
export interface ListingEntry {
  readonly name: string;
  readonly id: string | null;
  readonly updated_at: string | null;
  readonly created_at: string | null;
  readonly last_accessed_at: string | null;
  readonly metadata: unknown;
}

/** One level of a bucket, folders first, as the role that runs it may see it. Throws a ZodError for wrong options. */
export function folderListing(bucket: string, options: unknown): RawBuilder<ListingEntry> {
  const { prefix, search, limit, offset, sortBy } = listing.parse(options);
  const folder = prefix.replace(/^\/+|\/+$/g, '');
  const path = folder === '' ? '' : `${folder}/`;
  const column = sortBy.column === 'name' ? sql`name collate "C"` : sql.ref(sortBy.column);
  const order = sortBy.order === 'asc' ? sql`asc` : sql`desc`;
  return sql<ListingEntry>`
    with found as (
      select *, substr(name, length(${path}::text) + 1) as rest
      from storage.objects
      where bucket_id = ${bucket} and starts_with(name, ${path})
    ), entries as (
      select split_part(rest, '/', 1) as name, true as is_folder, null::uuid as id, null::timestamptz as updated_at,
             null::timestamptz as created_at, null::timestamptz as last_accessed_at, null::jsonb as metadata
      from found where strpos(rest, '/') > 0 group by 1
      union all
      select rest, false, id, updated_at, created_at, last_accessed_at, metadata
      from found where rest <> '' and strpos(rest, '/') = 0
    )
    select name, id, updated_at, created_at, last_accessed_at, metadata
    from entries where starts_with(lower(name), lower(${search}::text))
    order by is_folder desc, ${column} ${order}, name collate "C"
    limit ${limit} offset ${offset}`;
}
