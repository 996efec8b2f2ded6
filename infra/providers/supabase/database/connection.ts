import type { ResourceContext } from '../../plugin/resource.ts';
import { optional, required, type SupabaseConfig } from '../config.ts';
import { connect, type Database } from './database.ts';
import { type DatabaseAddress, parseDatabaseUrl, placeOf } from './database-url.ts';
import { loginRoleAddress } from './login-role.ts';

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

/** A role that was just made owns nothing: what it does belongs to postgres, as everything else of the project. */
const freshLogin = { freshRoleFor: 'postgres', startupTimeout: 30 } as const;

/** What a resource's database is called in its id: where it is, or the ref of its project. */
export function databaseIdOf(wanted: WithDatabaseUrl, context: Context): string {
  const target = targetOf(wanted, context);
  return typeof target === 'string' ? target : placeOf(target);
}

/** Connects, works and hangs up. Throws `DatabaseUnreachableError`. */
export async function withDatabase<T>(
  wanted: WithDatabaseUrl,
  context: Context,
  during: keyof typeof patience,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const target = targetOf(wanted, context);
  const options = {
    signal: context.signal,
    progress: (line: string) => context.progress(line),
    onNotice: (line: string) => context.progress(line),
    ...patience[during],
  };
  const database =
    typeof target === 'string'
      ? await connect(await loginRoleAddress(target, context), { ...options, ...freshLogin })
      : await connect(target, options);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** The resource's own database, or the provider's, or that of its project, by its ref. */
function targetOf({ databaseUrl }: WithDatabaseUrl, { config }: Context): DatabaseAddress | string {
  const url = databaseUrl ?? optional(config, 'databaseUrl');
  if (url !== undefined) return parseDatabaseUrl(url);
  return optional(config, 'projectRef') ?? parseDatabaseUrl(required(config, 'databaseUrl'));
}
