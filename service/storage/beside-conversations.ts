import type { ImportTarget } from '../conversation/import-target.ts';
import type { Search } from '../conversation/search.ts';
import type { ThreadDocuments } from '../conversation/thread-documents.ts';
import { DualImport } from './dual-import.ts';
import type { HotCopies } from './hot-copies/hot-copies.ts';
import { MemoryThreads } from './memory/memory-threads.ts';
import { noImport, noSearch } from './not-supported.ts';
import type { RedisConnection } from './redis/redis-connection.ts';
import { RedisThreads } from './redis/redis-threads.ts';
import type { SupabaseCalls } from './supabase/supabase-calls.ts';
import { SupabaseImport } from './supabase/supabase-import.ts';
import { SupabaseSearch } from './supabase/supabase-search.ts';
import { SupabaseThreads } from './supabase/supabase-threads.ts';

/** What a backend offers beside keeping conversations. Closes with its store. */
export interface BesideConversations {
  readonly search: Search;
  readonly threads: ThreadDocuments;
  readonly importTarget: ImportTarget;
}

/** Of the backend that has these parts; without any, that of `memory`. */
export function besideConversations(
  redis: RedisConnection | undefined,
  supabase: { readonly calls: SupabaseCalls } | undefined,
  hot: HotCopies | undefined,
): BesideConversations {
  if (supabase === undefined) {
    const threads = redis === undefined ? new MemoryThreads() : new RedisThreads(redis);
    return { search: noSearch, threads, importTarget: noImport };
  }
  const record = new SupabaseImport(supabase.calls);
  return {
    search: new SupabaseSearch(supabase.calls),
    threads: new SupabaseThreads(supabase.calls),
    importTarget: hot === undefined ? record : new DualImport(record, hot),
  };
}
