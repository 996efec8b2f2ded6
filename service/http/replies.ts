import { z } from 'zod';
import { tiers } from '../conversation/conversation.ts';
import { type ProblemStatus, problemShape } from './problem.ts';

// Replies as they stand in the OpenAPI document.

const always = {
  'x-request-id': z.string().meta({ description: 'That of the request, or a new one. It is in the log, too.' }),
  'x-release-id': z.string().meta({ description: 'Which release answered.' }),
};

// Left out where the limit is switched off.
const rateLimit = {
  'ratelimit-policy': z.string().optional().meta({
    description: 'The limit that counts for the caller: `"user";q=600;w=60` are 600 requests in 60 seconds.',
  }),
  ratelimit: z.string().optional().meta({
    description: 'How the caller stands with it: `"user";r=599;t=42` are 599 more within the next 42 seconds.',
  }),
};

const fromTier = {
  ...always,
  ...rateLimit,
  'x-storage-tier': z.enum(tiers).meta({ description: 'Where the answer is from.' }),
};

const stored = {
  ...fromTier,
  etag: z.string().meta({ description: 'The last seq of the conversation, quoted, for If-Match.' }),
};

/** A reply from where conversations are kept, about many of them. */
export function storedReply(schema: z.ZodType, description: string) {
  return { description, headers: z.object(fromTier), content: { 'application/json': { schema } } };
}

/** The same about one of them. */
export function conversationReply(schema: z.ZodType, description: string) {
  return { description, headers: z.object(stored), content: { 'application/json': { schema } } };
}

/** And about one that was read, perhaps while the record was away. */
export function threadReply(schema: z.ZodType, description: string) {
  const confirmed = z
    .enum(['yes', 'no'])
    .meta({ description: '`no`: the database is away, and this is what is known.' });
  const headers = z.object({ ...stored, 'x-storage-confirmed': confirmed });
  return { description, headers, content: { 'application/json': { schema } } };
}

export function plainReply(schema: z.ZodType, description: string) {
  return { description, headers: z.object(always), content: { 'application/json': { schema } } };
}

const meanings: Readonly<Record<ProblemStatus, string>> = {
  400: 'Not JSON, or not of this shape: `malformed_json`, `invalid_request`, `too_deep`, `number_out_of_range`, `invalid_text`, `invalid_key`, `import_line_invalid`; for a chat also `unknown_upstream`.',
  401: 'Neither a user’s valid token nor the secret key: `unauthorized`.',
  403: 'Not for users, or not for anybody but themselves: `server_only`.',
  404: 'There is none, it has ended, or it is not yours: `conversation_not_found`, `thread_not_found`.',
  405: 'No such thing can be done there: `method_not_allowed`.',
  408: 'The request took too long to arrive: `request_timeout`.',
  409: 'It does not fit what is there: `seq_conflict`, `client_message_id_reused`, `idempotency_key_used`; for an import `conversation_id_taken`, `import_conflict`.',
  413: 'Too large: `body_too_large`, `message_too_large`, `import_line_too_large`.',
  415: 'Not plain application/json, for an import application/jsonl: `unsupported_media_type`.',
  422: 'The database does not take it: `refused_by_record`; for an import `unknown_user`, `import_version_unsupported`.',
  426: 'Only a WebSocket can be opened there: `upgrade_required`.',
  429: 'More requests than the limit of a minute: `rate_limited`. `retry-after` tells when to go on.',
  431: 'Headers too large: `headers_too_large`.',
  499: 'The client went away: `caller_gone`.',
  500: 'A defect: `internal_error`.',
  501: 'The configured backend can not do that: `not_supported_by_backend`.',
  502: 'The model gave no answer: `upstream_failed`. The message is stored.',
  503: 'The record is away, and nothing was acknowledged: `record_unavailable`; or it can not be asked for the key of the token: `keys_unavailable`. Send it again. For a chat also `upstream_not_configured`, `upstream_busy`, `stopping`.',
  504: 'The model did not answer in time: `upstream_timeout`. The message is stored.',
};

/** These problems, that of a caller over its limit, and that there may be others. */
export function problems(...statuses: ProblemStatus[]) {
  const described = [...statuses, 429 as const].map((status) => [status, problemReply(meanings[status])] as const);
  return { ...Object.fromEntries(described), default: problemReply('Any other problem.') };
}

function problemReply(description: string) {
  const content = { 'application/problem+json': { schema: problemShape } };
  const retryAfter = z.string().optional().meta({ description: 'Seconds to wait before it is sent again.' });
  return { description, headers: z.object({ ...always, ...rateLimit, 'retry-after': retryAfter }), content };
}
