import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';
import { message } from '../conversation/conversation.ts';

/** What every error reply is (RFC 9457). `code` is stable: programs decide by it. */
export const problemShape = z
  .object({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ examples: ['conversation_not_found'] }),
    detail: z.string(),
    request_id: z.string(),
    errors: z
      .array(z.object({ path: z.string().meta({ examples: ['messages.0.role'] }), message: z.string() }))
      .optional()
      .meta({ description: 'invalid_request: everything that is wrong with it.' }),
    last_seq: z.int().optional().meta({ description: 'seq_conflict: the seq to append at.' }),
    missed: z.array(message).optional().meta({ description: 'seq_conflict: messages since the expected seq.' }),
    client_message_id: z.string().optional().meta({ description: 'client_message_id_reused: which one.' }),
    seq: z.int().optional().meta({ description: 'client_message_id_reused: where that message stands.' }),
    line: z.int().optional().meta({ description: 'Of an import: the line that is wrong, from 1.' }),
  })
  .meta({ id: 'Problem' });

type Extras = Partial<
  Pick<z.output<typeof problemShape>, 'errors' | 'last_seq' | 'missed' | 'client_message_id' | 'seq' | 'line'>
>;

const titles = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
} as const;

export type ProblemStatus = keyof typeof titles;

/** A reply that is an error. Thrown from wherever it is found; one place turns it into a response. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: ProblemStatus;
  readonly code: string;
  readonly extras: Extras;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: ProblemStatus,
    code: string,
    detail: string,
    more: { extras?: Extras; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, more.cause === undefined ? {} : { cause: more.cause });
    this.status = status;
    this.code = code;
    this.extras = more.extras ?? {};
    this.headers = more.headers ?? {};
  }
}

export function problemBody({ status, code, message: detail, extras }: Problem, requestId: string) {
  return {
    type: 'about:blank' as const,
    title: titles[status],
    status,
    code,
    detail,
    request_id: requestId,
    ...extras,
  };
}

export function problemResponse(c: Context, problem: Problem, requestId: string): Response {
  // 499 is not in Hono's list; nobody is there to read it anyway.
  const status = problem.status as ContentfulStatusCode;
  return c.body(JSON.stringify(problemBody(problem, requestId)), status, {
    'content-type': 'application/problem+json',
    ...problem.headers,
  });
}
