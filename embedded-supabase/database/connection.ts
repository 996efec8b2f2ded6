import type { ConnectionContextOptions, IntrospectResult, VarsContext } from '@supabase/lite';
import { PostgresConnection } from '@supabase/lite/postgres';
import { Kysely, sql } from 'kysely';
import { pooledDialect } from './dialect.ts';
import { errorForLite } from './error-codes.ts';
import { noticingOutage } from './notice-outage.ts';
import { DatabaseUnavailable } from './outage.ts';
import type { SessionPool } from './pool.ts';
import { enterRequest } from './request-context.ts';
import { SchemaCache } from './schema-cache.ts';

/** How long the schema may go on changing before a reading of it counts as failed, in ms. */
const patience = 5_000;

type Transaction = NonNullable<ConnectionContextOptions['transaction']>;

/**
 * lite's connection to PostgreSQL with what must not go its way:
 * - every request runs in a transaction under its role, from the first one on. lite does so only when some table had
 *   row-level security at its first request, and then grants every table to every role;
 * - an answer that refuses rolls back what was done for it;
 * - the schema is read in one consistent state, again when told so, and a failure to read it is an error;
 * - sessions come from our own pool (see `Session`). The driver that lite makes never connects.
 */
export class EmbeddedConnection extends PostgresConnection {
  readonly schema: SchemaCache<IntrospectResult>;

  constructor(pool: SessionPool) {
    super({ postgresOptions: { max: 1 } });
    this.kysely = new Kysely({ dialect: pooledDialect(pool) });
    let types = '';
    this.schema = new SchemaCache(async () => {
      const snapshot = await this.#readSchema();
      const now = JSON.stringify(snapshot.custom_types);
      if (now !== types) pool.renew(); // a session learns array types when it starts
      types = now;
      return snapshot;
    });
  }

  override async introspect(options?: { useCache?: boolean }): Promise<IntrospectResult> {
    if (options?.useCache !== true) this.schema.invalidate();
    return noticingOutage(this.schema.current()); // read for another request, perhaps
  }

  override async withContext<T>(
    variables: VarsContext | undefined,
    work: (db: Transaction) => Promise<T>,
    options: ConnectionContextOptions = {},
  ): Promise<T> {
    if (variables === undefined) return super.withContext(variables, work, options);
    if (options.transaction !== undefined) {
      await enterRequest(options.transaction, variables);
      return work(options.transaction);
    }
    let outcome: { readonly value: T } | undefined;
    try {
      return await this.kysely.transaction().execute(async (transaction) => {
        await enterRequest(transaction, variables, options.rpc);
        const value = await work(transaction);
        if (options.forceRollback === true || isRefusal(value, options.rpc !== undefined)) {
          outcome = { value };
          throw new RollBack();
        }
        return value;
      });
    } catch (error) {
      if (error instanceof RollBack && outcome !== undefined) return outcome.value;
      throw error;
    }
  }

  override normalizeDbError(error: unknown): unknown {
    return errorForLite(error);
  }

  /**
   * One consistent state of the schema. PostgreSQL looks some names up in its newest state, so a reading fails when the
   * schema changes under it; it is then begun anew, until the change is over.
   */
  async #readSchema(): Promise<IntrospectResult> {
    const deadline = Date.now() + patience;
    for (;;) {
      try {
        return await this.#readSchemaOnce();
      } catch (error) {
        if (error instanceof DatabaseUnavailable || Date.now() > deadline) throw error;
      }
    }
  }

  /** lite's introspection over one snapshot of the catalogue. It hides errors: an empty schema without functions. */
  async #readSchemaOnce(): Promise<IntrospectResult> {
    return this.kysely
      .transaction()
      .setIsolationLevel('repeatable read')
      .execute(async (transaction) => {
        const view: EmbeddedConnection = Object.create(this, { kysely: { value: transaction } });
        const snapshot = await super.introspect.call(view, { useCache: false });
        await sql`select 1`.execute(transaction); // throws when a statement failed or the session is gone
        if (snapshot.functions === undefined) throw new Error("the database's schema could not be read");
        return snapshot;
      });
  }
}

/** Ends a transaction without keeping what it did. */
class RollBack extends Error {
  override readonly name = 'RollBack';
}

/**
 * Whether an answer means that nothing may be kept: PostgREST rolls back when more or fewer rows were changed than
 * asked for (406). A function may choose its own status and keep what it did.
 */
function isRefusal(value: unknown, byFunction: boolean): boolean {
  return value instanceof Response && (value.status === 406 || (value.status >= 400 && !byFunction));
}
