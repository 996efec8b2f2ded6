import {
  CallerGone,
  CallerRefused,
  ClientMessageIdReused,
  type ConversationError,
  ConversationNotFound,
  RecordUnavailable,
  RefusedByRecord,
  SeqConflict,
  TooLarge,
} from '../conversation/errors.ts';
import { Problem, type ProblemStatus } from './problem.ts';

/** How the errors of conversations are answered. */
export function conversationProblem(error: ConversationError): Problem {
  const { code, message } = error;
  const problem = (status: ProblemStatus, more: ConstructorParameters<typeof Problem>[3] = {}) =>
    new Problem(status, code, message, { ...more, cause: error });
  if (error instanceof ConversationNotFound) return problem(404);
  if (error instanceof SeqConflict) {
    return problem(409, { extras: { last_seq: error.lastSeq, missed: [...error.missed] } });
  }
  if (error instanceof ClientMessageIdReused) {
    return problem(409, { extras: { client_message_id: error.clientMessageId, seq: error.seq } });
  }
  if (error instanceof TooLarge) return problem(413);
  if (error instanceof RefusedByRecord) return problem(422);
  if (error instanceof CallerRefused) return problem(401, { headers: { 'www-authenticate': 'Bearer' } });
  if (error instanceof RecordUnavailable) return problem(503, { headers: { 'retry-after': '1' } });
  if (error instanceof CallerGone) return problem(499);
  return new Problem(500, 'internal_error', 'an error without a reply of its own', { cause: error });
}
