import postgres from 'postgres';
import type { DatabaseSettings } from '../config.ts';
import { arrayTypes, learnArrayTypes } from './array-types.ts';
import { parameterValue } from './exact-values.ts';
import { DatabaseUnavailable, isOutage } from './outage.ts';
import { wireTypes } from './wire-types.ts';

/** Rows of one statement; `count` is the number of rows it returned or changed, `command` its tag, such as UPDATE. */
export interface SessionResult {
  readonly rows: Record<string, unknown>[];
  readonly command: string;
  readonly count: number;
}

export interface SessionOptions {
  /** Longest time to a session, in ms. */
  readonly connectTimeout?: number;
  /** Longest time that a statement may go unanswered before the server counts as gone, in ms. */
  readonly answerTimeout?: number;
  readonly onNotification?: (channel: string, payload: string) => void;
}

/**
 * One session of PostgreSQL, over one socket, never another one: a client of postgres.js that is thrown away when its
 * socket closes. (postgres.js opens a new socket for a client whose socket closed, so a transaction that had lost its
 * session could go on in the next one, without its role; and writing at that moment ends the process.)
 */
export class Session {
  /** Settles when the session is over, however it ended. */
  readonly closed: Promise<void>;
  readonly #client: postgres.Sql;
  readonly #answerTimeout: number;
  readonly #over = Promise.withResolvers<void>();
  #alive = true;

  /** Connects. Throws `DatabaseUnavailable` when the server can't be reached, PostgreSQL's own error on a refusal. */
  static async open(settings: DatabaseSettings, options: SessionOptions = {}): Promise<Session> {
    const { connectTimeout = 3_000 } = options;
    const session = new Session(settings, connectTimeout, options);
    try {
      // The deadline is ours as well: where a proxy accepts and closes, the driver would try again without end.
      const types = await session.#withDeadline(session.#client.unsafe(arrayTypes), connectTimeout);
      learnArrayTypes(session.#client.options, types);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  private constructor(settings: DatabaseSettings, connectTimeout: number, options: SessionOptions) {
    const driverOptions = {
      host: settings.host,
      port: settings.port,
      database: settings.name,
      user: settings.user,
      password: settings.password,
      max: 1,
      idle_timeout: 0,
      max_lifetime: null,
      connect_timeout: Math.ceil(connectTimeout / 1000),
      backoff: false,
      keep_alive: 15,
      prepare: false,
      fetch_types: false,
      types: wireTypes,
      connection: {
        TimeZone: 'UTC',
        application_name: 'embedded-supabase',
        search_path: 'public, extensions',
      },
      onnotice() {},
      onnotify: options.onNotification,
      onclose: () => this.#end(),
    };
    this.#client = postgres(driverOptions);
    this.#answerTimeout = options.answerTimeout ?? 10_000;
    this.closed = this.#over.promise;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Runs one statement with parameters ($1, $2, …), or, without parameters, any number of statements. */
  async query(text: string, parameters: readonly unknown[] = []): Promise<SessionResult> {
    if (!this.#alive) throw new DatabaseUnavailable('the session with PostgreSQL is over');
    const values = parameters.map((value) => toParameter(parameterValue(value)));
    const result = await this.#withDeadline(this.#client.unsafe(text, values), this.#answerTimeout);
    return { rows: Array.from(result), command: result.command, count: result.count };
  }

  async close(): Promise<void> {
    this.#end(); // at once: a server that hangs would never close its side
    await this.#client.end({ timeout: 0 });
  }

  #end(): void {
    this.#alive = false;
    this.#over.resolve();
  }

  async #withDeadline<T>(pending: Promise<T>, milliseconds: number): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new DatabaseUnavailable(`PostgreSQL gave no answer within ${milliseconds} ms`)),
      milliseconds,
    );
    try {
      return await Promise.race([pending, late.promise]);
    } catch (error) {
      if (!isOutage(error)) throw error;
      pending.catch(() => undefined); // after a missed deadline it ends with the session; that error is this one
      void this.close();
      if (error instanceof DatabaseUnavailable) throw error;
      throw new DatabaseUnavailable("PostgreSQL can't be reached", { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * What the driver takes: `undefined` is null in SQL; everything else goes by its column's type. For a boolean the driver
 * would not ask for that type, so that `true` could not be compared with a text.
 */
function toParameter(value: unknown): postgres.ParameterOrJSON<never> {
  return (typeof value === 'boolean' ? String(value) : (value ?? null)) as postgres.ParameterOrJSON<never>;
}
