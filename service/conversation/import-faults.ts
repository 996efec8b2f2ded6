import { ConversationError } from './errors.ts';

/** What is wrong with a file of conversations. `line` counts from 1; all lines before it are imported. */
export abstract class ImportFault extends ConversationError {
  readonly line: number;

  constructor(line: number, detail: string, options?: ErrorOptions) {
    super(`line ${line} ${detail}. What is before it is imported: mend it, and send the file again`, options);
    this.line = line;
  }
}

/** No JSON, not of the shape, or not at its place. */
export class ImportLineInvalid extends ImportFault {
  override readonly name = 'ImportLineInvalid';
  readonly code = 'import_line_invalid';
}

export class ImportLineTooLarge extends ImportFault {
  override readonly name = 'ImportLineTooLarge';
  readonly code = 'import_line_too_large';
}

/** Written by a newer release than this one. */
export class ImportVersionUnsupported extends ImportFault {
  override readonly name = 'ImportVersionUnsupported';
  readonly code = 'import_version_unsupported';
}

/** The id, or the continuation id, is that of a conversation of somebody else, or of one that has ended. */
export class ConversationIdTaken extends ImportFault {
  override readonly name = 'ConversationIdTaken';
  readonly code = 'conversation_id_taken';
}

/** The conversation went on in another way: there is another message at this place, or one before it is missing. */
export class ImportConflict extends ImportFault {
  override readonly name = 'ImportConflict';
  readonly code = 'import_conflict';
}
