import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  type TransactionSettings,
} from 'kysely';
import { noticingOutage } from './notice-outage.ts';
import { DatabaseUnavailable } from './outage.ts';
import type { SessionPool } from './pool.ts';
import type { Session } from './session.ts';

const changing = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

class PooledConnection implements DatabaseConnection {
  readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, command, count } = await noticingOutage(this.session.query(query.sql, query.parameters));
    const result = { rows: rows as R[] }; // Kysely's own contract: the type of a row is the caller's word
    return changing.has(command) ? { ...result, numAffectedRows: BigInt(count) } : result;
  }

  streamQuery(): AsyncIterableIterator<never> {
    throw new Error('streaming of rows is not implemented: nothing here uses it');
  }
}

/** Kysely's driver over the pool: one session from `begin` to `commit` or `rollback`. */
class PooledDriver implements Driver {
  readonly #pool: SessionPool;

  constructor(pool: SessionPool) {
    this.#pool = pool;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PooledConnection> {
    return new PooledConnection(await noticingOutage(this.#pool.acquire()));
  }

  async beginTransaction({ session }: PooledConnection, settings: TransactionSettings): Promise<void> {
    const isolation = settings.isolationLevel === undefined ? '' : ` isolation level ${settings.isolationLevel}`;
    const access = settings.accessMode === undefined ? '' : ` ${settings.accessMode}`;
    await noticingOutage(session.query(`begin${isolation}${access}`));
  }

  async commitTransaction({ session }: PooledConnection): Promise<void> {
    const { command } = await noticingOutage(session.query('commit'));
    // PostgreSQL answers ROLLBACK to the commit of a transaction in which a statement failed: nothing was kept.
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back: one of its statements had failed');
  }

  async rollbackTransaction({ session }: PooledConnection): Promise<void> {
    if (!session.alive) return; // PostgreSQL rolled back when the session ended
    try {
      await session.query('rollback');
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) throw error; // else: ended just now, rolled back as above
    }
  }

  async releaseConnection({ session }: PooledConnection): Promise<void> {
    this.#pool.release(session);
  }

  async destroy(): Promise<void> {}
}

/** PostgreSQL for Kysely, over our own sessions. Closing the pool is its owner's business. */
export function pooledDialect(pool: SessionPool): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new PooledDriver(pool),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}
