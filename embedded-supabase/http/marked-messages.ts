import { isMarked, markPlainBody, unmark } from '../database/exact-values.ts';

/** A request body and the headers that fit it. */
export interface Outgoing {
  readonly headers: Headers;
  readonly body: Request['body'] | string;
}

/** The body with its exact values marked, for lite; one that holds no text stays the stream it is. */
export async function markedBody(
  request: Request,
  headers: Headers,
  markJson: (json: string) => string,
): Promise<Outgoing> {
  if (request.body === null) return { headers, body: null };
  const type = (headers.get('content-type') ?? 'application/json').toLowerCase();
  const isText = type.startsWith('text/') || type.startsWith('application/x-www-form-urlencoded');
  if (!isText && !type.includes('json')) return { headers, body: request.body };
  const text = await request.text();
  headers.delete('content-length');
  headers.delete('transfer-encoding');
  return { headers, body: isText ? markPlainBody(text) : markJson(text) };
}

/** lite's answer with the marks taken off again. */
export async function withoutMarks(response: Response): Promise<Response> {
  const location = response.headers.get('location');
  if (location !== null) response.headers.set('location', unmark(location));
  const type = response.headers.get('content-type') ?? '';
  if (response.body === null || !/json|csv/.test(type)) return response;
  const bytes = Buffer.from(await response.arrayBuffer());
  const { status, headers } = response;
  if (!isMarked(bytes)) return new Response(bytes, { status, headers });
  headers.delete('content-length');
  return new Response(unmark(bytes.toString('utf8')), { status, headers });
}
