import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface SqliteOptions {
  /** `full`: what is committed survives a power cut, and waits for the disk. `normal`: it survives the process. */
  readonly synchronous: 'full' | 'normal';
  /** Milliseconds that a write waits for another process's to end. */
  readonly patience: number;
}

/** Opens a SQLite file that all processes of this box share, or makes it. Throws what the system or SQLite says. */
export function openSqlite(path: string, { synchronous, patience }: SqliteOptions): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, 'a', 0o600)); // what people say is in it
  const database = new DatabaseSync(path, { timeout: patience });
  try {
    database.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous}; pragma secure_delete = on`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
