import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { type DatabaseAddress, placeOf, tlsOf } from './database-url.ts';

/** One connection to PostgreSQL. Everything runs on it in turn; when it breaks, it is not made again behind one's back. */
export interface Database {
  /** `host:port/database`, to be shown. */
  readonly place: string;
  /** Runs one statement as it is written. */
  run(statement: string): Promise<void>;
  /** Runs a query with values for `$1`, `$2`, …; rows are for the caller to parse. */
  query(text: string, values?: readonly (string | null)[]): Promise<readonly unknown[]>;
  /** Back to the role for which it was connected, whatever ran since. */
  resetRole(): Promise<void>;
  /** What PostgreSQL does not have committed by now is undone. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Cancels what runs on the connection. */
  readonly signal: AbortSignal;
  /** Seconds for the network and the log-in. */
  readonly connectTimeout: number;
  /** Seconds to wait for a server that answers that it is starting up. */
  readonly startupTimeout: number;
  /** The login was made a moment ago, for work as this role: the pooler may not know it yet. */
  readonly freshRoleFor?: string;
  progress(message: string): void;
  onNotice?(message: string): void;
}

/** The server can't be reached or does not let us in. The message says where and why. */
export class DatabaseUnreachableError extends Error {
  override readonly name = 'DatabaseUnreachableError';
}

/** The person cancelled the update while something ran on the connection. */
export class DatabaseCancelledError extends Error {
  override readonly name = 'DatabaseCancelledError';
}

/** Logs in. Throws {@link DatabaseUnreachableError}. */
export async function connect(address: DatabaseAddress, options: ConnectOptions): Promise<Database> {
  const place = placeOf(address);
  const deadline = Date.now() + options.startupTimeout * 1000;
  for (let waiting = false; ; waiting = true) {
    const database = open(address, options);
    try {
      await database.query('select 1');
      await database.resetRole();
      return database;
    } catch (error) {
      await database.close();
      options.signal.throwIfAborted();
      const isUnknownYet = options.freshRoleFor !== undefined && codeOf(error) === wrongPassword;
      if ((codeOf(error) !== startingUp && !isUnknownYet) || Date.now() > deadline) throw unreachable(place, error);
      if (!waiting) {
        const what = isUnknownYet ? 'does not know the new login yet' : 'is starting up';
        options.progress(`the database at ${place} ${what}: waiting up to ${options.startupTimeout} s`);
      }
      // PostgreSQL has no event for "I am up".
      await delay(250, undefined, { signal: options.signal });
    }
  }
}

/** SQLSTATE, or the code of a system or connection error. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const startingUp = '57P03';
export const wrongPassword = '28P01';

function open(address: DatabaseAddress, options: ConnectOptions): Database {
  const sql = postgres({
    host: address.host,
    port: address.port,
    database: address.database,
    user: address.user,
    password: address.password,
    ssl: tlsOf(address),
    max: 1,
    max_lifetime: null, // a connection that is replaced loses the lock that it holds
    connect_timeout: options.connectTimeout,
    prepare: false,
    fetch_types: false,
    connection: { application_name: 'pulumi-resource-supabase' },
    onnotice: ({ severity, message }) => options.onNotice?.(`${severity?.toLowerCase() ?? 'notice'}: ${message ?? ''}`),
  });
  let running: postgres.PendingQuery<postgres.Row[]> | undefined;
  const cancel = () => running?.cancel();
  options.signal.addEventListener('abort', cancel);
  const execute = async (text: string, values?: (string | null)[]): Promise<readonly unknown[]> => {
    options.signal.throwIfAborted();
    try {
      running = sql.unsafe(text, values);
      return await running;
    } catch (error) {
      if (!options.signal.aborted) throw error;
      throw new DatabaseCancelledError('cancelled', { cause: error });
    } finally {
      running = undefined;
    }
  };
  return {
    place: placeOf(address),
    run: async (statement) => {
      await execute(statement);
    },
    query: (text, values = []) => execute(text, [...values]),
    resetRole: async () => {
      await execute('reset session authorization'); // it resets the role as well
      if (options.freshRoleFor !== undefined) await execute(`set session role ${options.freshRoleFor}`);
    },
    close: async () => {
      options.signal.removeEventListener('abort', cancel);
      await sql.end({ timeout: 0 });
    },
  };
}

const untrusted = 'its certificate is not trusted: name the authority that signed it with sslrootcert';

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (is the database running?)',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host could not be looked up',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  ECONNRESET: 'the connection was cut',
  CONNECTION_CLOSED: 'the connection was closed during the log-in',
  CONNECT_TIMEOUT: 'no answer in time',
  [wrongPassword]: 'the password is wrong',
  '28000': 'the server refuses this user from here',
  '3D000': 'there is no such database',
  '53300': 'the server has no free connection',
  [startingUp]: 'the server is starting up, or shutting down',
};

function unreachable(place: string, cause: unknown): DatabaseUnreachableError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  // Node's words for a server that answers the request for TLS with anything else.
  const isPlain = detail.includes('before secure TLS connection was established');
  const reason = isPlain ? 'the server does not speak TLS' : reasons[codeOf(cause) ?? ''];
  return new DatabaseUnreachableError(
    `the database at ${place} can't be reached: ${reason ? `${reason} (${detail})` : detail}`,
    { cause },
  );
}
