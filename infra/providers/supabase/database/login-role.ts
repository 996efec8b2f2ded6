import type { ResourceContext } from '../../plugin/resource.ts';
import { MissingConfigError, type SupabaseConfig } from '../config.ts';
import { managementApiOf } from '../management/connection.ts';
import { ManagementRequestError } from '../management/management-error.ts';
import { sessionPoolerUrl } from '../management/session-pooler.ts';
import { DatabaseUnreachableError } from './database.ts';
import { type DatabaseAddress, parseDatabaseUrl } from './database-url.ts';

interface Login {
  readonly address: DatabaseAddress;
  /** Milliseconds since 1970. */
  readonly goodUntil: number;
}

/** By ref. A new role may take the place of the one before, so that those that are good are used again. */
const logins = new Map<string, Promise<Login>>();

/** A role does not run out while somebody logs in with it. */
const margin = 60_000;

/**
 * A way into the database of a project without its password: a role that the Management API makes for some minutes.
 * Throws {@link DatabaseUnreachableError}.
 */
export async function loginRoleAddress(
  ref: string,
  context: ResourceContext<SupabaseConfig>,
): Promise<DatabaseAddress> {
  const known = await logins.get(ref)?.catch(() => undefined);
  if (known && known.goodUntil > Date.now()) return known.address;
  const login = logIn(ref, context);
  logins.set(ref, login);
  try {
    return (await login).address;
  } catch (error) {
    if (!(error instanceof ManagementRequestError) && !(error instanceof MissingConfigError)) throw error;
    throw new DatabaseUnreachableError(`the database of project ${ref} can't be reached: ${error.message}`, {
      cause: error,
    });
  }
}

async function logIn(ref: string, context: ResourceContext<SupabaseConfig>): Promise<Login> {
  const api = managementApiOf(context);
  const { role, password, ttl_seconds: lifetime } = await api.createLoginRole(ref);
  const address = parseDatabaseUrl(await sessionPoolerUrl(api, ref, password, role));
  return { address, goodUntil: Date.now() + lifetime * 1000 - margin };
}
