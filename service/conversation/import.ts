import { z } from 'zod';
import type { Caller } from './conversation.ts';
import { RefusedByRecord, TooLarge } from './errors.ts';
import {
  ConversationIdTaken,
  ImportConflict,
  ImportLineInvalid,
  ImportLineTooLarge,
  ImportVersionUnsupported,
} from './import-faults.ts';
import { findJsonFault } from './json-value.ts';
import { limits } from './limits.ts';
import { type ExportedConversation, type ExportedMessage, newerVersion, transferLine } from './transfer-format.ts';

/** What became of some messages. `taken`: the conversation is not the caller's. */
export type Imported =
  | { readonly status: 'taken' }
  | { readonly status: 'conflict'; readonly seq: number }
  | { readonly status: 'gap'; readonly seq: number; readonly last_seq: number }
  | { readonly status: 'imported'; readonly created: boolean; readonly imported: number; readonly unchanged: number };

/** Puts conversations back where they are kept. Throws the errors of `errors.ts`, `UnknownUser` among them. */
export interface ImportTarget {
  /**
   * Begins the conversation where there is none, owned by `owner` (null: the server), and puts these messages behind the
   * ones that are there; those that are there already have to be the same. All or none.
   */
  importMessages(
    caller: Caller,
    owner: string | null,
    conversation: ExportedConversation,
    messages: readonly ExportedMessage[],
    ttlSeconds: number,
  ): Promise<Imported>;
}

/** A line of a file, counted from 1. */
export interface FileLine {
  readonly number: number;
  readonly text: string;
}

export const importSummary = z.object({
  conversations: z.object({ created: z.int(), existing: z.int() }),
  messages: z.object({ imported: z.int(), unchanged: z.int() }),
  /** Conversations whose last messages the file does not have, 100 at most: the file was cut, or the export was. */
  incomplete: z.array(z.object({ conversation_id: z.guid(), last_seq: z.int(), missing_from: z.int() })),
});
export type ImportSummary = z.output<typeof importSummary>;

interface Open {
  readonly line: number;
  readonly conversation: ExportedConversation;
  /** The seq of the last message that was read. */
  reached: number;
  isStored: boolean;
  waiting: { readonly line: number; readonly bytes: number; readonly message: ExportedMessage }[];
}

/** Brings conversations of a file back, some messages at a time. */
export class ConversationImport {
  readonly #target: ImportTarget;
  readonly #ttlSeconds: number;

  constructor(target: ImportTarget, ttlSeconds: number) {
    this.#target = target;
    this.#ttlSeconds = ttlSeconds;
  }

  /**
   * Throws the errors of `import-faults.ts` for what is wrong with the file. What is before that line is imported; the
   * same file can be sent again, and only what is missing is imported then.
   */
  async run(caller: Caller, owner: string | null, lines: AsyncIterable<FileLine>): Promise<ImportSummary> {
    const work = new Work(this.#target, this.#ttlSeconds, caller, owner);
    try {
      for await (const line of lines) await work.take(line);
    } catch (error) {
      if (error instanceof ImportLineInvalid || error instanceof ImportLineTooLarge) await work.store();
      if (error instanceof ImportVersionUnsupported) await work.store();
      throw error;
    }
    await work.finish();
    return work.summary;
  }
}

class Work {
  readonly #target: ImportTarget;
  readonly #ttlSeconds: number;
  readonly #caller: Caller;
  readonly #owner: string | null;
  readonly #conversations = { created: 0, existing: 0 };
  readonly #messages = { imported: 0, unchanged: 0 };
  readonly #incomplete: ImportSummary['incomplete'] = [];
  #open: Open | undefined;

  constructor(target: ImportTarget, ttlSeconds: number, caller: Caller, owner: string | null) {
    this.#target = target;
    this.#ttlSeconds = ttlSeconds;
    this.#caller = caller;
    this.#owner = owner;
  }

  get summary(): ImportSummary {
    return { conversations: this.#conversations, messages: this.#messages, incomplete: this.#incomplete };
  }

  async take({ number, text }: FileLine): Promise<void> {
    const line = parsed(number, text);
    if (line.kind === 'conversation') {
      await this.finish();
      const { conversation } = line;
      this.#open = { line: number, conversation, reached: conversation.cleared_seq, isStored: false, waiting: [] };
      return;
    }
    const open = this.#open;
    if (open === undefined) throw new ImportLineInvalid(number, 'is a message without a conversation before it');
    const { message } = line;
    if (message.seq !== open.reached + 1) {
      throw new ImportLineInvalid(number, `has the seq ${message.seq}, and ${open.reached + 1} is what follows`);
    }
    open.reached = message.seq;
    open.waiting.push({ line: number, bytes: text.length, message });
    const bytes = open.waiting.reduce((sum, waiting) => sum + waiting.bytes, 0);
    if (open.waiting.length >= limits.messagesPerAppend || bytes >= limits.importBatchLength) await this.store();
  }

  /** Stores what is left of the conversation, and closes it. */
  async finish(): Promise<void> {
    const open = this.#open;
    await this.store();
    this.#open = undefined;
    if (open === undefined || open.reached >= open.conversation.last_seq || this.#incomplete.length >= 100) return;
    const { id, last_seq } = open.conversation;
    this.#incomplete.push({ conversation_id: id, last_seq, missing_from: open.reached + 1 });
  }

  /** Stores what waits. */
  async store(): Promise<void> {
    const open = this.#open;
    if (open === undefined || (open.isStored && open.waiting.length === 0)) return;
    const { waiting } = open;
    open.waiting = [];
    try {
      await this.#import(open, waiting);
    } catch (error) {
      if (!(error instanceof RefusedByRecord || error instanceof TooLarge)) throw error;
      if (waiting.length === 0)
        throw new ImportLineInvalid(open.line, 'is not taken by the database', { cause: error });
      await this.#importSingly(open, waiting);
    }
  }

  /** Finds the message that is not taken; stores those before it. */
  async #importSingly(open: Open, waiting: Open['waiting']): Promise<void> {
    for (const one of waiting) {
      try {
        await this.#import(open, [one]);
      } catch (error) {
        if (error instanceof TooLarge)
          throw new ImportLineTooLarge(one.line, 'is too large a message', { cause: error });
        if (error instanceof RefusedByRecord) {
          throw new ImportLineInvalid(one.line, 'is not taken by the database', { cause: error });
        }
        throw error;
      }
    }
  }

  async #importBefore(open: Open, waiting: Open['waiting'], seq: number): Promise<void> {
    const before = waiting.filter(({ message }) => message.seq < seq);
    if (before.length > 0) await this.#import(open, before);
  }

  async #import(open: Open, waiting: Open['waiting']): Promise<void> {
    const messages = waiting.map(({ message }) => message);
    const { conversation } = open;
    const done = await this.#target.importMessages(this.#caller, this.#owner, conversation, messages, this.#ttlSeconds);
    const lineOf = (seq: number) => waiting.find(({ message }) => message.seq === seq)?.line ?? open.line;
    switch (done.status) {
      case 'taken':
        throw new ConversationIdTaken(
          open.line,
          'has an id, or a continuation_id, that another conversation has: one of somebody else, or one that has ended',
        );
      case 'conflict':
        await this.#importBefore(open, waiting, done.seq);
        throw new ImportConflict(lineOf(done.seq), `is not what is stored as message ${done.seq}, or has a name twice`);
      case 'gap':
        throw new ImportConflict(lineOf(done.seq), `has the seq ${done.seq}; what is stored ends at ${done.last_seq}`);
      case 'imported':
        if (!open.isStored) this.#conversations[done.created ? 'created' : 'existing'] += 1;
        open.isStored = true;
        this.#messages.imported += done.imported;
        this.#messages.unchanged += done.unchanged;
    }
  }
}

function parsed(number: number, text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ImportLineInvalid(number, 'is not JSON: the file may have been cut', { cause });
  }
  const fault = findJsonFault(value);
  if (fault !== undefined) throw new ImportLineInvalid(number, `${fault.message} (${fault.path})`);
  const newer = newerVersion(value);
  if (newer !== undefined) {
    throw new ImportVersionUnsupported(number, `is of version ${newer} of the format: import it with a newer release`);
  }
  const line = transferLine.safeParse(value);
  if (line.success) return line.data;
  const [issue] = line.error.issues;
  throw new ImportLineInvalid(number, `is not of the format: ${issue?.path.join('.')} ${issue?.message}`);
}
