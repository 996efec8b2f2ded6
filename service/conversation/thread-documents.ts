import { z } from 'zod';
import { type Caller, metadata, type Tier, timestamp } from './conversation.ts';
import { limits } from './limits.ts';

/** The name of a thread, which whoever keeps the document chooses. */
export const threadId = z.string().regex(/^[A-Za-z0-9._:~-]{1,200}$/, 'takes 1 to 200 letters, digits and . _ : ~ -');

/** A JSON object that nobody here looks into. */
export const threadDocument = metadata;
export type ThreadDocument = z.output<typeof threadDocument>;

export const newThread = z.strictObject({
  document: threadDocument,
  ttl_seconds: z.int().min(1).max(limits.lifetimeSeconds).optional(),
});

/** What is known of a document that is kept. */
export const threadHead = z.object({
  thread_id: threadId,
  created_at: timestamp,
  updated_at: timestamp,
  expires_at: timestamp,
});
export type ThreadHead = z.output<typeof threadHead>;

export const storedThread = threadHead.extend({ document: threadDocument });
export type StoredThread = z.output<typeof storedThread>;

/**
 * Documents that tools keep between their calls: one for each thread id of each owner, until it expires. The same id of
 * two owners is two threads. Methods throw the errors of `errors.ts`.
 */
export interface ThreadDocuments {
  readonly tier: Tier;

  /** In place of the one that is there. It lives so many seconds from now; reading it does not count. */
  put(caller: Caller, id: string, document: ThreadDocument, ttlSeconds: number): Promise<ThreadHead>;

  /** `ThreadNotFound` when there is none, or it has expired. Gives up with `CallerGone` when `signal` is aborted. */
  get(caller: Caller, id: string, signal: AbortSignal): Promise<StoredThread>;

  /** `ThreadNotFound` as above. */
  delete(caller: Caller, id: string): Promise<void>;

  /** Removes what has expired, `limits.removedAtOnce` at most. Returns how many there were. */
  cleanUp(): Promise<number>;

  /** Removes every document of a user, as that user or as the server. Returns how many there were. */
  eraseUser(caller: Caller, userId: string): Promise<number>;
}
