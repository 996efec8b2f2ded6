import { type QueryExecutorProvider, sql } from 'kysely';
import { z } from 'zod';

/** What lite says about the request for which a transaction runs. */
const requestVariables = z.object({
  auth: z.object({
    role: z.string().min(1),
    jwt: z.record(z.string(), z.unknown()).nullish(),
  }),
  storage: z.object({ operation: z.string().nullish() }).optional(),
});

/** The HTTP request behind a call of a function, for `current_setting('request.headers')` and its like. */
export interface FunctionCall {
  readonly method: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly requestHeaders?: Record<string, string>;
}

/** Longest time of one statement, by role: those of hosted Supabase. */
const statementTimeout = (role: string) => (role === 'anon' ? '3s' : '8s');

/**
 * Puts a transaction under the request's role and claims until its end, in one round trip, the way PostgREST does: the
 * session belongs to `authenticator`, so only roles granted to it can be taken, and `reset role` leads nowhere.
 *
 * Throws PostgreSQL's 42501 for a role that `authenticator` may not take, 22023 for one that does not exist.
 */
export async function enterRequest(db: QueryExecutorProvider, variables: unknown, call?: FunctionCall): Promise<void> {
  const { auth, storage } = requestVariables.parse(variables);
  const claims = JSON.stringify(auth.jwt ?? { role: auth.role });
  const forCall =
    call === undefined
      ? sql``
      : sql`set_config('request.method', ${call.method}, true), set_config('request.path', ${call.path}, true),
            set_config('request.headers', ${JSON.stringify(call.requestHeaders ?? {})}, true),
            set_config('response.status', '', true), set_config('response.headers', '', true),`;
  await sql`select ${forCall}
    set_config('request.jwt.claims', ${claims}, true),
    set_config('storage.operation', ${storage?.operation ?? ''}, true),
    set_config('statement_timeout', ${statementTimeout(auth.role)}, true),
    set_config('session_authorization', 'authenticator', true),
    set_config('role', ${auth.role}, true)`.execute(db);
  if (call?.readOnly === true) await sql`set local transaction_read_only = on`.execute(db);
}
