import { z } from '@hono/zod-openapi';

/** RFC 9457. `code` is stable: clients may rely on it. */
export const problemSchema = z
  .looseObject({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    request_id: z.string(),
  })
  .openapi('Problem');

const problems = {
  invalid_request: [400, 'The request is not as the API describes it'],
  unauthorized: [401, 'A valid bearer token is needed'],
  not_found: [404, 'There is no such resource'],
  conversation_not_found: [404, 'There is no such conversation'],
  sequence_conflict: [412, 'The conversation has gone on'],
  body_too_large: [413, 'The request is larger than the service takes'],
  unsupported_media_type: [415, 'The request has to be JSON'],
  refused_by_record: [422, 'The record can not keep this'],
  internal: [500, 'The service has failed; it has logged why under the request id'],
  record_unavailable: [503, 'The record does not answer; nothing was acknowledged'],
  stopping: [503, 'This release is stopping; ask again'],
} as const;
export type ProblemCode = keyof typeof problems;

/** An answer that is not what was asked for; `http/app.ts` makes the reply of it. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly status: (typeof problems)[ProblemCode][0];
  readonly title: string;
  /** Members of the reply besides the standard ones. */
  readonly details: Readonly<Record<string, unknown>>;
  constructor(code: ProblemCode, details: Readonly<Record<string, unknown>> = {}, options?: ErrorOptions) {
    const [status, title] = problems[code];
    super(title, options);
    this.code = code;
    this.status = status;
    this.title = title;
    this.details = details;
  }

  response(requestId: string): Response {
    const { status, title, code, details } = this;
    const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
    if (status === 401) headers['www-authenticate'] = 'Bearer';
    if (status === 503) headers['retry-after'] = '2';
    return new Response(
      JSON.stringify({ type: 'about:blank', title, status, code, request_id: requestId, ...details }),
      {
        status,
        headers,
      },
    );
  }
}
