import {
  CallerGone,
  CallerRefused,
  ClientMessageIdReused,
  type ConversationError,
  ConversationNotFound,
  IdempotencyKeyUsed,
  NotSupportedByBackend,
  RecordUnavailable,
  RefusedByRecord,
  SeqConflict,
  ServerOnly,
  Stopping,
  ThreadNotFound,
  TooLarge,
  UnknownUpstream,
  UnknownUser,
  UpstreamBusy,
  UpstreamFailed,
  UpstreamNotConfigured,
  UpstreamTimeout,
} from '../conversation/errors.ts';
import {
  ConversationIdTaken,
  ImportConflict,
  ImportFault,
  ImportLineTooLarge,
  ImportVersionUnsupported,
} from '../conversation/import-faults.ts';
import { Problem, type ProblemStatus } from './problem.ts';

/** How the errors of conversations are answered. */
export function conversationProblem(error: ConversationError): Problem {
  const { code, message } = error;
  const problem = (status: ProblemStatus, more: ConstructorParameters<typeof Problem>[3] = {}) =>
    new Problem(status, code, message, { ...more, cause: error });
  if (error instanceof ConversationNotFound || error instanceof ThreadNotFound) return problem(404);
  if (error instanceof SeqConflict) {
    return problem(409, { extras: { last_seq: error.lastSeq, missed: [...error.missed] } });
  }
  if (error instanceof ClientMessageIdReused) {
    const { clientMessageId: client_message_id, seq } = error;
    return problem(409, { extras: seq === null ? { client_message_id } : { client_message_id, seq } });
  }
  if (error instanceof ServerOnly) return problem(403);
  if (error instanceof IdempotencyKeyUsed) return problem(409);
  if (error instanceof TooLarge) return problem(413);
  if (error instanceof ImportFault) return problem(importStatus(error), { extras: { line: error.line } });
  if (error instanceof UnknownUser) return problem(422);
  if (error instanceof NotSupportedByBackend) return problem(501);
  if (error instanceof RefusedByRecord) return problem(422);
  if (error instanceof CallerRefused) return problem(401, { headers: { 'www-authenticate': 'Bearer' } });
  if (error instanceof RecordUnavailable) return problem(503, { headers: { 'retry-after': '1' } });
  if (error instanceof CallerGone) return problem(499);
  if (error instanceof UnknownUpstream) {
    const fault = { path: error.field, message: `is none of ${error.known.join(', ')}` };
    return problem(400, { extras: { errors: [fault] } });
  }
  if (error instanceof UpstreamNotConfigured) return problem(503);
  if (error instanceof UpstreamFailed) return problem(502);
  if (error instanceof UpstreamTimeout) return problem(504);
  if (error instanceof UpstreamBusy) {
    return problem(503, { headers: { 'retry-after': String(error.retryAfterSeconds) } });
  }
  if (error instanceof Stopping) return problem(503, { headers: { 'retry-after': '1' } });
  return new Problem(500, 'internal_error', 'an error without a reply of its own', { cause: error });
}

function importStatus(fault: ImportFault): ProblemStatus {
  if (fault instanceof ConversationIdTaken || fault instanceof ImportConflict) return 409;
  if (fault instanceof ImportLineTooLarge) return 413;
  return fault instanceof ImportVersionUnsupported ? 422 : 400;
}
