import { z } from 'zod';
import type { Caller } from './conversation.ts';
import type { ConversationEvents } from './conversation-events.ts';
import { RefusedByRecord, TooLarge } from './errors.ts';
import {
  ConversationIdTaken,
  ImportConflict,
  ImportFault,
  ImportLineInvalid,
  ImportLineTooLarge,
} from './import-faults.ts';
import { type FileLine, parseLine } from './import-line.ts';
import type { ImportTarget } from './import-target.ts';
import { limits } from './limits.ts';
import { ownerOf } from './owner.ts';
import type { ExportedConversation, ExportedMessage } from './transfer-format.ts';

export const importSummary = z.object({
  conversations: z.object({ created: z.int(), existing: z.int() }),
  messages: z.object({ imported: z.int(), unchanged: z.int() }),
  /** Conversations whose last messages the file does not have, 100 at most: the file was cut, or the export was. */
  incomplete: z.array(z.object({ conversation_id: z.guid(), last_seq: z.int(), missing_from: z.int() })),
});
export type ImportSummary = z.output<typeof importSummary>;

export interface ConversationImportParts {
  readonly target: ImportTarget;
  readonly events: ConversationEvents;
  /** How long a conversation that is begun lives. */
  readonly lifetimeSeconds: number;
}

/** Brings conversations of a file back, some messages at a time. */
export class ConversationImport {
  readonly #parts: ConversationImportParts;

  constructor(parts: ConversationImportParts) {
    this.#parts = parts;
  }

  /**
   * For the caller, or for the user that the server names. Throws the errors of `import-faults.ts` for what is wrong with
   * the file. What is before that line is imported; the same file can be sent again, and only what is missing is imported.
   */
  async run(caller: Caller, user: string | undefined, lines: AsyncIterable<FileLine>): Promise<ImportSummary> {
    const owner = ownerOf(caller, user, 'importing for others');
    const work = new Work(this.#parts, caller, owner);
    try {
      for await (const line of lines) await work.take(line);
    } catch (error) {
      if (error instanceof ImportFault) await work.store();
      throw error;
    }
    await work.finish();
    return work.summary;
  }
}

interface Waiting {
  readonly line: number;
  readonly length: number;
  readonly message: ExportedMessage;
}

interface Open {
  readonly line: number;
  readonly conversation: ExportedConversation;
  /** The seq of the last message that was read. */
  reached: number;
  isStored: boolean;
}

/** One file on its way. */
class Work {
  readonly #parts: ConversationImportParts;
  readonly #caller: Caller;
  readonly #owner: string | null;
  readonly #conversations = { created: 0, existing: 0 };
  readonly #messages = { imported: 0, unchanged: 0 };
  readonly #incomplete: ImportSummary['incomplete'] = [];
  #open: Open | undefined;
  #waiting: Waiting[] = [];
  #length = 0;

  constructor(parts: ConversationImportParts, caller: Caller, owner: string | null) {
    this.#parts = parts;
    this.#caller = caller;
    this.#owner = owner;
  }

  get summary(): ImportSummary {
    return { conversations: this.#conversations, messages: this.#messages, incomplete: this.#incomplete };
  }

  async take(given: FileLine): Promise<void> {
    const line = parseLine(given);
    if (line.kind === 'conversation') {
      await this.finish();
      const { conversation } = line;
      this.#open = { line: given.number, conversation, reached: conversation.cleared_seq, isStored: false };
      return;
    }
    const open = this.#open;
    if (open === undefined) throw new ImportLineInvalid(given.number, 'is a message without a conversation before it');
    const { message } = line;
    if (message.seq !== open.reached + 1) {
      throw new ImportLineInvalid(given.number, `has the seq ${message.seq}, and ${open.reached + 1} is what follows`);
    }
    open.reached = message.seq;
    this.#waiting.push({ line: given.number, length: given.text.length, message });
    this.#length += given.text.length;
    if (this.#waiting.length >= limits.messagesPerAppend || this.#length >= limits.importBatchLength)
      await this.store();
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

  /** Stores what waits. What can't be stored closes the conversation. */
  async store(): Promise<void> {
    const open = this.#open;
    const waiting = this.#waiting;
    if (open === undefined || (open.isStored && waiting.length === 0)) return;
    this.#waiting = [];
    this.#length = 0;
    try {
      await this.#import(open, waiting).catch((error: unknown) => this.#importSingly(open, waiting, error));
    } catch (error) {
      this.#open = undefined;
      throw error;
    }
  }

  /** Finds the message that the record does not take, and stores those before it. */
  async #importSingly(open: Open, waiting: readonly Waiting[], reason: unknown): Promise<void> {
    if (!isRefusal(reason)) throw reason;
    if (waiting.length === 0) throw new ImportLineInvalid(open.line, 'is not taken by the database', { cause: reason });
    for (const one of waiting) {
      await this.#import(open, [one]).catch((cause: unknown) => {
        if (cause instanceof TooLarge) throw new ImportLineTooLarge(one.line, 'is too large a message', { cause });
        if (isRefusal(cause)) throw new ImportLineInvalid(one.line, 'is not taken by the database', { cause });
        throw cause;
      });
    }
  }

  async #import(open: Open, waiting: readonly Waiting[]): Promise<void> {
    const { target, events, lifetimeSeconds } = this.#parts;
    const { conversation } = open;
    const messages = waiting.map(({ message }) => message);
    const done = await target.importMessages(this.#caller, this.#owner, conversation, messages, lifetimeSeconds);
    const lineOf = (seq: number) => waiting.find(({ message }) => message.seq === seq)?.line ?? open.line;
    switch (done.status) {
      case 'taken':
        throw new ConversationIdTaken(
          open.line,
          'has an id, or a continuation_id, that another conversation has: one of somebody else, or one that has ended',
        );
      case 'conflict': {
        const before = waiting.filter(({ message }) => message.seq < done.seq);
        if (before.length > 0) await this.#import(open, before);
        throw new ImportConflict(
          lineOf(done.seq),
          'is not the message that is stored there, or has the name of another',
        );
      }
      case 'gap':
        throw new ImportConflict(lineOf(done.seq), `has the seq ${done.seq}; what is stored ends at ${done.last_seq}`);
      case 'imported':
        if (!open.isStored) this.#conversations[done.created ? 'created' : 'existing'] += 1;
        open.isStored = true;
        this.#messages.imported += done.imported;
        this.#messages.unchanged += done.unchanged;
        if (done.imported > 0)
          events.publish({ kind: 'appended', conversation_id: conversation.id, last_seq: done.last_seq });
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof RefusedByRecord || error instanceof TooLarge;
}
