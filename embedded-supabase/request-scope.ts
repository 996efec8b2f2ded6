import { AsyncLocalStorage } from 'node:async_hooks';
import type { Identity } from './auth/identity.ts';
import type { DatabaseUnavailable } from './database/outage.ts';

/** What the parts of one request tell each other past lite, which stands between them. */
export interface RequestScope {
  /** Who asks, when the shim has verified it; lite then takes it as it is. */
  identity?: Identity;
  /** Set when PostgreSQL was away during the request: whatever lite made of it, the answer is 503. */
  outage?: DatabaseUnavailable;
  /** Takes the place of lite's answer to a storage request. */
  storageReply?: Response;
  /** Limits of a bucket to be lifted: lite's own route takes no nulls. */
  bucketNulls?: Record<string, null>;
  /** Names to be signed in one call: lite's own route for that is hidden by the one for a single name. */
  namesToSign?: string[];
  /** User metadata of the upload, which lite leaves out: JSON. */
  userMetadata?: string;
}

const scopes = new AsyncLocalStorage<RequestScope>();

export function runInScope<T>(scope: RequestScope, work: () => Promise<T>): Promise<T> {
  return scopes.run(scope, work);
}

/** The scope of the request being served; undefined outside of one. */
export function currentScope(): RequestScope | undefined {
  return scopes.getStore();
}
