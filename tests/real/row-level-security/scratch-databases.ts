import postgres from 'postgres';
import { startRecord, type TestUser } from '../service/servers.ts';

/** Databases that each hold the kit's schema and nothing else: copies of one that the migrations made. */
export interface ScratchDatabases {
  /** Another one; the caller drops it, or leaves it to `close`. */
  make(): Promise<ScratchDatabase>;
  /** Three users that every copy knows. */
  readonly users: readonly [TestUser, TestUser, TestUser];
  /** PostgreSQL's superuser, and its password. */
  readonly password: string;
  close(): Promise<void>;
}

export interface ScratchDatabase {
  readonly url: string;
  /** As superuser. */
  readonly sql: postgres.Sql;
  drop(): Promise<void>;
}

/** `prepare` runs in the database that is copied. */
export async function startScratchDatabases(
  prepare: (sql: postgres.Sql, users: ScratchDatabases['users']) => Promise<void> = async () => {},
) {
  const record = await startRecord();
  const { url, password } = record.postgres;
  // A database is copied only while nobody is connected to it, so the copies are made from another one.
  const admin = postgres(url.replace(/\/postgres$/, '/template1'), { max: 1, onnotice() {} });
  const close = async () => {
    await admin.end({ timeout: 1 });
    await record.close();
  };
  try {
    const users = [await record.signUp(), await record.signUp(), await record.signUp()] as const;
    await record.stopApi();
    // Nothing here has to outlive a power cut.
    await record.sql`alter system set fsync = off`;
    await record.sql`select pg_reload_conf()`;
    await prepare(record.sql, users);
    await record.sql.end({ timeout: 5 });
    let count = 0;
    const make = async (): Promise<ScratchDatabase> => {
      const name = `scratch_${count++}`;
      await admin.unsafe(`create database ${name} template postgres`);
      const place = url.replace(/\/postgres$/, `/${name}`);
      const sql = postgres(place, { max: 1, onnotice() {} });
      return {
        url: place,
        sql,
        async drop() {
          await sql.end({ timeout: 1 });
          await admin.unsafe(`drop database ${name} with (force)`);
        },
      };
    };
    return { make, users, password, close } satisfies ScratchDatabases;
  } catch (error) {
    await close();
    throw error;
  }
}
