import { join } from 'node:path';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { ConversationError, RecordUnavailable } from '../../conversation/errors.ts';
import { openSqlite } from '../../sqlite/open-sqlite.ts';
import { outboxSchema, outboxSchemaVersion } from './outbox-schema.ts';

/** Milliseconds that a write waits for another process's to end. */
const busyPatience = 5_000;

/** The outbox can't be opened. Waiting does not mend that. */
export class OutboxFailed extends Error {
  override readonly name = 'OutboxFailed';
}

/** Nothing was stored: what somebody sent is not acknowledged. */
export class OutboxNotWritten extends Error {
  override readonly name = 'OutboxNotWritten';

  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`the outbox ${path} can't be written (${reason}): is there room on its disk?`, { cause });
  }
}

interface Write {
  readonly work: () => unknown;
  readonly resolve: (outcome: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One SQLite file that all processes of this box share. What `write` has resolved is on the disk, and survives a power
 * cut; writes that arrive in one tick share a transaction, and so the wait for the disk.
 */
export class OutboxFile {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #waiting: Write[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #trouble: OutboxNotWritten | undefined;

  private constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
  }

  /** Opens the file in this directory, or makes it. Throws {@link OutboxFailed}. */
  static open(directory: string): OutboxFile {
    const path = join(directory, 'outbox.sqlite');
    let database: DatabaseSync | undefined;
    try {
      database = openSqlite(path, { synchronous: 'full', patience: busyPatience });
      examine(database);
      migrate(database);
      return new OutboxFile(path, database);
    } catch (cause) {
      database?.close();
      throw cause instanceof OutboxFailed ? cause : new OutboxFailed(remedy(path, cause), { cause });
    }
  }

  /** Why the last write failed, if it did. */
  get trouble(): OutboxNotWritten | undefined {
    return this.#trouble;
  }

  /**
   * Runs in a transaction, with others; what it throws undoes it and nothing else. Rejects with that, or with
   * {@link RecordUnavailable} when the file can't be written: then nothing of it is stored.
   */
  write<T>(work: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push({ work, resolve: (outcome) => resolve(outcome as T), reject });
    this.#flushing ??= setImmediate(() => this.#flush());
    return promise;
  }

  all(sql: string, ...values: SQLInputValue[]): unknown[] {
    return this.#statement(sql).all(...values);
  }

  /** The first row; undefined if there is none. */
  first(sql: string, ...values: SQLInputValue[]): unknown {
    return this.#statement(sql).get(...values);
  }

  /** How many rows it changed. Within `write` only. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** Takes what was deleted out of the journal, too: its bytes are nowhere in the file after that. False: others read. */
  forget(): boolean {
    const row = this.#database.prepare('pragma wal_checkpoint(truncate)').get();
    return row?.busy === 0;
  }

  close(): void {
    this.#flush();
    this.#database.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const writes = this.#waiting;
    this.#waiting = [];
    if (writes.length === 0) return;
    try {
      this.#database.exec('begin immediate');
      const answers = writes.map((write) => this.#apply(write));
      this.#database.exec('commit');
      this.#trouble = undefined;
      for (const answer of answers) answer();
    } catch (error) {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec('rollback');
      const cause = new OutboxNotWritten(this.path, error);
      this.#trouble = cause;
      for (const { reject } of writes) reject(new RecordUnavailable({ cause }));
    }
  }

  /** Returns what tells the writer, to be called when everything is on the disk. Throws what SQLite throws. */
  #apply({ work, resolve, reject }: Write): () => void {
    this.#database.exec('savepoint this_write');
    try {
      const outcome = work();
      this.#database.exec('release this_write');
      return () => resolve(outcome);
    } catch (error) {
      if (!(error instanceof ConversationError)) throw error;
      this.#database.exec('rollback to this_write; release this_write');
      return () => reject(error);
    }
  }
}

function examine(database: DatabaseSync): void {
  const found = database.prepare('pragma integrity_check(1)').get()?.integrity_check;
  if (found !== 'ok') throw new Error(`integrity check: ${String(found)}`);
}

function migrate(database: DatabaseSync): void {
  database.exec('begin immediate');
  const version = Number(database.prepare('pragma user_version').get()?.user_version);
  if (version > outboxSchemaVersion) {
    throw new OutboxFailed(
      `the outbox has schema version ${version}, and this release knows ${outboxSchemaVersion} at most: run a newer release`,
    );
  }
  if (version === 0) database.exec(outboxSchema);
  database.exec(`pragma user_version = ${outboxSchemaVersion}; commit`);
}

function remedy(path: string, cause: unknown): string {
  const reason = (cause instanceof Error ? cause.message : String(cause)).replaceAll('\n', ' ');
  if (/integrity check|malformed|not a database/.test(reason)) {
    return (
      `the outbox ${path} is damaged (${reason}), and may hold messages that are nowhere else: ` +
      `move it and the files beside it away, start again, and get out of it what is left with "sqlite3 <file> .recover"`
    );
  }
  return `the outbox ${path} can't be opened (${reason}): OUTBOX_DIRECTORY has to be a directory that the service can write, on a disk with room`;
}
