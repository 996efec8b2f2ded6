import type { Message } from './conversation.ts';

/**
 * What a conversation, or the place where it is stored, says no to. `code` is stable and for programs, `message` is for
 * people; neither holds what a message says, or a secret.
 */
export abstract class ConversationError extends Error {
  abstract readonly code: string;
}

/** There is none, it has expired, or it is somebody else's: the caller is not told which. */
export class ConversationNotFound extends ConversationError {
  override readonly name = 'ConversationNotFound';
  readonly code = 'conversation_not_found';

  constructor() {
    super('there is no such conversation');
  }
}

/** Others have appended since the caller looked. */
export class SeqConflict extends ConversationError {
  override readonly name = 'SeqConflict';
  readonly code = 'seq_conflict';
  readonly lastSeq: number;
  /** What the caller has missed, oldest first; one page at most. */
  readonly missed: readonly Message[];

  constructor(lastSeq: number, missed: readonly Message[]) {
    super(`the last message is ${lastSeq} by now: look at what was missed, and send it again with that seq`);
    this.lastSeq = lastSeq;
    this.missed = missed;
  }
}

/** The conversation that was created with this Idempotency-Key has ended. */
export class IdempotencyKeyUsed extends ConversationError {
  override readonly name = 'IdempotencyKeyUsed';
  readonly code = 'idempotency_key_used';

  constructor() {
    super('the conversation that was created with this Idempotency-Key has ended: create another one with a new key');
  }
}

/** Users may not do this, or not for anybody but themselves. */
export class ServerOnly extends ConversationError {
  override readonly name = 'ServerOnly';
  readonly code = 'server_only';

  constructor(what: string) {
    super(`${what}: that takes the secret key`);
  }
}

/** A message of that name is there and says something else: sending the same again must send the same. */
export class ClientMessageIdReused extends ConversationError {
  override readonly name = 'ClientMessageIdReused';
  readonly code = 'client_message_id_reused';
  readonly clientMessageId: string;
  /** Null: that message waits in the outbox. */
  readonly seq: number | null;

  constructor(clientMessageId: string, seq: number | null) {
    super(
      `message ${seq ?? 'in the outbox'} has this client_message_id and another role or content: give a new message a new one`,
    );
    this.clientMessageId = clientMessageId;
    this.seq = seq;
  }
}

/** A message, or the metadata of a conversation, beyond the limit in bytes. */
export class TooLarge extends ConversationError {
  override readonly name = 'TooLarge';
  readonly code = 'message_too_large';

  constructor(what: string, limit: number, options?: ErrorOptions) {
    super(`${what} is larger than ${limit} bytes: put large content into a file and refer to it`, options);
  }
}

/** There is none, it has expired, or it is somebody else's: the caller is not told which. */
export class ThreadNotFound extends ConversationError {
  override readonly name = 'ThreadNotFound';
  readonly code = 'thread_not_found';

  constructor() {
    super('there is no such thread');
  }
}

/** The server named a user that there is not. */
export class UnknownUser extends ConversationError {
  override readonly name = 'UnknownUser';
  readonly code = 'unknown_user';

  constructor() {
    super('there is no user with this user_id');
  }
}

/** What the configured backend can't do. */
export class NotSupportedByBackend extends ConversationError {
  override readonly name = 'NotSupportedByBackend';
  readonly code = 'not_supported_by_backend';

  constructor(what: string, by: readonly string[]) {
    super(`${what} takes another CONVERSATION_STORAGE_BACKEND than the one that runs here: ${by.join(' or ')}`);
  }
}

/** Valid by the rules of this service, but not by those of the record. */
export class RefusedByRecord extends ConversationError {
  override readonly name = 'RefusedByRecord';
  readonly code = 'refused_by_record';

  constructor(options: ErrorOptions) {
    super('the database refused this content; nothing was stored', options);
  }
}

/** The record does not know this user, or not any more. */
export class CallerRefused extends ConversationError {
  override readonly name = 'CallerRefused';
  readonly code = 'unauthorized';

  constructor(options: ErrorOptions) {
    super('the token is not accepted: sign in again', options);
  }
}

/**
 * The record did not answer in time, or not at all. An append may have been stored nevertheless: sending it again with
 * the same `client_message_id` finds out, and never stores it twice.
 */
export class RecordUnavailable extends ConversationError {
  override readonly name = 'RecordUnavailable';
  readonly code = 'record_unavailable';

  constructor(options: ErrorOptions) {
    super(
      'the database is away, and nothing was acknowledged: try again in a moment; messages with the same client_message_id are never stored twice',
      options,
    );
  }
}

/** The caller is gone, so the work was given up. */
export class CallerGone extends ConversationError {
  override readonly name = 'CallerGone';
  readonly code = 'caller_gone';

  constructor(options: ErrorOptions) {
    super('the caller closed the connection before there was an answer', options);
  }
}

/** Nobody was set up who could answer. */
export class UpstreamNotConfigured extends ConversationError {
  override readonly name = 'UpstreamNotConfigured';
  readonly code = 'upstream_not_configured';

  constructor() {
    super(
      'no model is configured here, and nothing was stored: CHAT_UPSTREAMS_FILE of the service names those there are',
    );
  }
}

/** An upstream, or a model of it, that is not configured. */
export class UnknownUpstream extends ConversationError {
  override readonly name = 'UnknownUpstream';
  readonly code = 'unknown_upstream';
  readonly field: 'upstream' | 'model';
  /** Those that there are. */
  readonly known: readonly string[];

  constructor(field: 'upstream' | 'model', known: readonly string[]) {
    super(`there is no such ${field} here, and nothing was stored: it takes one of ${known.join(', ')}`);
    this.field = field;
    this.known = known;
  }
}

/** The upstream answered with an error, with something that is no answer, or not at all. */
export class UpstreamFailed extends ConversationError {
  override readonly name = 'UpstreamFailed';
  readonly code = 'upstream_failed';

  constructor(upstream: string, what: string, options?: ErrorOptions) {
    super(
      `the upstream ${upstream} ${what}; the message is stored: send it again with the same client_message_id`,
      options,
    );
  }
}

/** The upstream did not answer in time. */
export class UpstreamTimeout extends ConversationError {
  override readonly name = 'UpstreamTimeout';
  readonly code = 'upstream_timeout';

  constructor(upstream: string, options?: ErrorOptions) {
    super(
      `the upstream ${upstream} did not answer in time; the message is stored: send it again with the same client_message_id`,
      options,
    );
  }
}

/** The upstream takes no more requests for so many seconds. */
export class UpstreamBusy extends ConversationError {
  override readonly name = 'UpstreamBusy';
  readonly code = 'upstream_busy';
  readonly retryAfterSeconds: number;

  constructor(upstream: string, retryAfterSeconds: number) {
    super(
      `the upstream ${upstream} takes no more requests; the message is stored: send it again in ${retryAfterSeconds} s with the same client_message_id`,
    );
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The service is told to stop, and begins nothing that takes long. */
export class Stopping extends ConversationError {
  override readonly name = 'Stopping';
  readonly code = 'stopping';

  constructor() {
    super('the service is about to stop: send it again with the same client_message_id');
  }
}
