import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import type { z } from 'zod';
import type { Caller } from '../../conversation/conversation.ts';
import { CallerGone } from '../../conversation/errors.ts';
import { type SupabaseAnswer, supabaseError } from './supabase-error.ts';
import { poolLimits, SupabasePool } from './supabase-pool.ts';

export interface SupabaseSettings {
  readonly url: string;
  /** Users' requests carry it as their API key, beside the user's own token. */
  readonly publishableKey: string;
  /** The server's own requests are made under it. */
  readonly secretKey: string;
}

/**
 * Calls of the migrations' functions through Supabase's API. A user's calls are made under the user's own token, so
 * that row-level security decides what there is for them.
 */
export class SupabaseCalls {
  readonly #pool: SupabasePool;
  readonly #forUsers: SupabaseClient;
  readonly #forServer: SupabaseClient;

  constructor({ url, publishableKey, secretKey }: SupabaseSettings) {
    const pool = new SupabasePool(url);
    const client = (key: string) =>
      createClient(url, key, {
        accessToken: async () => null, // no session: whose token it is goes with each call
        global: { fetch: pool.fetch },
        db: { retry: false },
      });
    this.#pool = pool;
    this.#forUsers = client(publishableKey);
    this.#forServer = client(secretKey);
  }

  /** Anything else of the API, over the same connections. */
  get fetch(): typeof globalThis.fetch {
    return this.#pool.fetch;
  }

  /**
   * What the function returns. Without `signal` a call runs to its end even when nobody waits for it any more: what it
   * writes is not left open. Throws the errors of `errors.ts`.
   */
  async call<T>(caller: Caller, name: string, input: object, output: z.ZodType<T>, signal?: AbortSignal): Promise<T> {
    const deadline = AbortSignal.timeout(poolLimits.total);
    const answer = await this.answer(caller, name, input, signal ? AbortSignal.any([signal, deadline]) : deadline);
    if (answer.error === null) return output.parse(answer.data);
    if (signal?.aborted) throw new CallerGone({ cause: signal.reason });
    throw supabaseError(answer, caller);
  }

  /** The answer as it came; a function that could not be called has one, too. */
  async answer(caller: Caller, name: string, input: object, signal: AbortSignal): Promise<SupabaseAnswer> {
    const call = caller.kind === 'user' ? this.#forUsers.rpc(name, input) : this.#forServer.rpc(name, input);
    if (caller.kind === 'user') call.setHeader('authorization', `Bearer ${caller.token}`);
    return call.abortSignal(signal);
  }

  get connections(): SupabasePool['connections'] {
    return this.#pool.connections;
  }

  /** Lets calls that are under way finish. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}
