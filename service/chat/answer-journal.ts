import { uptime } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { z } from 'zod';
import { openSqlite } from '../sqlite/open-sqlite.ts';
import { type AnswerMetadata, answerMetadata } from './chat.ts';

/** Milliseconds after which an answer that nobody has written on is nobody's any more. */
const abandonedAfter = 15_000;
const busyPatience = 2_000;

const schema = `
  -- Answers under way. beat: milliseconds since the machine started, when its process last wrote here.
  create table if not exists answers (
    conversation_id text not null,
    client_message_id text not null,
    owner text not null,
    beat integer not null,
    content text not null default '',
    metadata text not null default '',
    primary key (conversation_id, client_message_id)
  ) strict;
`;

export interface AnswerKey {
  readonly conversationId: string;
  /** The client_message_id of the answer. */
  readonly name: string;
}

/** An answer as far as it had come. */
export interface JournalEntry extends AnswerKey {
  readonly content: string;
  /** Undefined when the upstream had not begun. */
  readonly metadata: AnswerMetadata | undefined;
}

const row = z.object({
  conversation_id: z.string(),
  client_message_id: z.string(),
  content: z.string(),
  metadata: z.string(),
});

/**
 * A file that all processes of this box share: which answers are under way, and what they say so far. It keeps two
 * processes from asking for the same answer at once, and what a process had when it was killed. Nothing is waited for
 * on the disk: a power cut loses what is in here, the death of a process does not.
 */
export class AnswerJournal {
  readonly #owner: string;
  readonly #database: DatabaseSync;
  readonly #now: () => number;
  readonly #claim: StatementSync;
  readonly #keep: StatementSync;
  readonly #release: StatementSync;
  readonly #takeAbandoned: StatementSync;

  /** Opens the file in this directory, or makes it. Throws what the system says. */
  constructor(directory: string, owner: string, now: () => number = sinceStart) {
    const path = join(directory, 'chat-answers.sqlite');
    const database = openSqlite(path, { synchronous: 'normal', patience: busyPatience });
    database.exec(schema);
    this.#owner = owner;
    this.#now = now;
    this.#database = database;
    this.#claim = database.prepare(
      `insert into answers (conversation_id, client_message_id, owner, beat) values (?, ?, ?, ?)
       on conflict (conversation_id, client_message_id) do nothing`,
    );
    this.#keep = database.prepare(
      `update answers set beat = ?, content = ?, metadata = ?
       where conversation_id = ? and client_message_id = ? and owner = ?`,
    );
    this.#release = database.prepare(
      'delete from answers where conversation_id = ? and client_message_id = ? and owner = ?',
    );
    // What beats in the future is from before the machine was started.
    this.#takeAbandoned = database.prepare(
      `update answers set owner = ?1, beat = ?2 where (beat < ?2 - ?3 or beat > ?2 + ?3)
       returning conversation_id, client_message_id, content, metadata`,
    );
  }

  /** Whether this answer is ours from now on; else another process is at it. */
  claim({ conversationId, name }: AnswerKey): boolean {
    return this.#claim.run(conversationId, name, this.#owner, this.#now()).changes > 0;
  }

  /** Keeps what the answers say by now, and that somebody is at them. */
  keep(entries: readonly JournalEntry[]): void {
    const now = this.#now();
    this.#database.exec('begin immediate');
    try {
      for (const { conversationId, name, content, metadata } of entries) {
        const kept = metadata === undefined ? '' : JSON.stringify(metadata);
        this.#keep.run(now, content, kept, conversationId, name, this.#owner);
      }
      this.#database.exec('commit');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw error;
    }
  }

  /** Nobody is at this answer any more, and nothing is to be kept of it. */
  release({ conversationId, name }: AnswerKey): void {
    this.#release.run(conversationId, name, this.#owner);
  }

  /** Takes over what processes left behind that are gone. Each is to be released, or is taken over again later. */
  takeAbandoned(): JournalEntry[] {
    const rows = this.#takeAbandoned.all(this.#owner, this.#now(), abandonedAfter);
    return z
      .array(row)
      .parse(rows)
      .map(({ conversation_id, client_message_id, content, metadata }) => ({
        conversationId: conversation_id,
        name: client_message_id,
        content,
        metadata: metadata === '' ? undefined : answerMetadata.parse(JSON.parse(metadata)),
      }));
  }

  close(): void {
    this.#database.close();
  }
}

function sinceStart(): number {
  return Math.round(uptime() * 1_000);
}
