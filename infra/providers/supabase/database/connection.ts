import type { ResourceContext } from '../../plugin/resource.ts';
import { required, type SupabaseConfig } from '../config.ts';
import { connect, type Database } from './database.ts';
import { type DatabaseAddress, parseDatabaseUrl } from './database-url.ts';

type Context = ResourceContext<SupabaseConfig>;

/** Inputs of a resource that works on a database. */
interface WithDatabaseUrl {
  readonly databaseUrl?: string | undefined;
}

/** Seconds; a preview does not wait for a database that is not there yet. */
const patience = {
  update: { connectTimeout: 15, startupTimeout: 30 },
  preview: { connectTimeout: 5, startupTimeout: 0 },
} as const;

/** The resource's own database, or the provider's. */
export function addressOf({ databaseUrl }: WithDatabaseUrl, { config }: Context): DatabaseAddress {
  return parseDatabaseUrl(databaseUrl ?? required(config, 'databaseUrl'));
}

/** Connects, works and hangs up. Throws `DatabaseUnreachableError`. */
export async function withDatabase<T>(
  wanted: WithDatabaseUrl,
  context: Context,
  during: keyof typeof patience,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await connect(addressOf(wanted, context), {
    signal: context.signal,
    progress: (line) => context.progress(line),
    onNotice: (line) => context.progress(line),
    ...patience[during],
  });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
