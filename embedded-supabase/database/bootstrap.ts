import { getAuthSchemaSql, getStorageSchemaSql } from '@supabase/lite';
import type { Session } from './session.ts';
import { helpersAndGrants, rolesAndSchemas } from './system-schema.ts';

/** Any number, the same in every process: whoever holds this lock is the one who prepares the database. */
const advisoryLock = 7_209_466_113;

/**
 * Gives an empty PostgreSQL what hosted Supabase's has before the first migration: roles, schemas, extensions, grants,
 * lite's tables of Auth and Storage. One transaction, under a lock: may run again, and by several processes at once.
 *
 * Throws PostgreSQL's error; nothing is kept then.
 */
export async function prepareDatabase(session: Session): Promise<void> {
  await session.query('begin');
  try {
    await session.query('select pg_advisory_xact_lock($1::bigint)', [advisoryLock]);
    for (const script of [rolesAndSchemas, getAuthSchemaSql(), getStorageSchemaSql(), helpersAndGrants]) {
      await session.query(script);
    }
    await session.query('commit');
  } catch (error) {
    if (session.alive) await session.query('rollback');
    throw error;
  }
}
