import type { Context } from 'hono';
import { z } from 'zod';
import { findJsonFault } from '../conversation/json-value.ts';
import { limits } from '../conversation/limits.ts';
import { Problem } from './problem.ts';

/** The JSON body of a request. Throws a 4xx {@link Problem} for what is no sound JSON, too much of it, or not of the shape. */
export async function jsonBody<S extends z.ZodType>(c: Context, shape: S): Promise<z.output<S>> {
  expectPlainJson(c);
  const value = parse(await readText(c));
  const fault = findJsonFault(value);
  if (fault !== undefined) {
    const { path, message } = fault;
    throw new Problem(400, fault.code, `the body ${message}`, { extras: { errors: [{ path, message }] } });
  }
  return shaped(shape, value);
}

/** The query of a request; a parameter that is given twice fits no shape. */
export function query<S extends z.ZodType>(c: Context, shape: S): z.output<S> {
  const given = Object.entries(c.req.queries()).map(([name, values]) => [
    name,
    values.length === 1 ? values[0] : values,
  ]);
  return shaped(shape, Object.fromEntries(given));
}

/** What stands in the path. What fits no address at all is invalid; an id of nothing is not. */
export function pathParameter<S extends z.ZodType>(c: Context, shape: S): z.output<S> {
  return shaped(shape, c.req.param());
}

/** An integer in a query or a path, as OpenAPI knows it: no `1e1`, no `0x5`, no space before it. */
export function integerParameter(min: number, max?: number) {
  const integer = z.int().min(min);
  return z.preprocess(
    (text) => (typeof text === 'string' && /^-?\d+$/.test(text) ? Number(text) : text),
    max === undefined ? integer : integer.max(max),
  );
}

/** A seq in a query. */
export const seqParameter = integerParameter(0, limits.seq);

const key = z
  .string()
  .max(limits.idempotencyKeyLength)
  .regex(/^[\x21-\x7e]+$/);

/** The header as it stands in the OpenAPI document. */
export function idempotencyHeader(description: string) {
  return z.object({ 'idempotency-key': key.optional().meta({ description }) });
}

/** The `Idempotency-Key` of a request, if it has one. */
export function idempotencyKey(c: Context): string | undefined {
  const header = c.req.header('idempotency-key');
  if (header === undefined || key.safeParse(header).success) return header;
  const message = `takes 1 to ${limits.idempotencyKeyLength} visible ASCII characters`;
  const errors = [{ path: 'Idempotency-Key', message }];
  throw new Problem(400, 'invalid_request', 'the header Idempotency-Key is not valid', { extras: { errors } });
}

/** The seq in `If-Match`, quoted or not; undefined without that header, and for `*`. */
export function expectedSeq(c: Context): number | undefined {
  const header = c.req.header('if-match')?.trim();
  if (header === undefined || header === '*') return undefined;
  const seq = /^(?:W\/)?"?(\d{1,10})"?$/.exec(header)?.[1];
  if (seq !== undefined && Number(seq) <= limits.seq) return Number(seq);
  const errors = [{ path: 'If-Match', message: 'is no seq: it takes the last seq that you know, such as "5"' }];
  throw new Problem(400, 'invalid_request', 'the header If-Match is not valid', { extras: { errors } });
}

function shaped<S extends z.ZodType>(shape: S, value: unknown): z.output<S> {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.slice(0, 20).map(({ path, message }) => ({ path: path.join('.'), message }));
  throw new Problem(400, 'invalid_request', 'the request is not valid', { extras: { errors } });
}

function expectPlainJson(c: Context): void {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new Problem(415, 'unsupported_media_type', 'the body has to be application/json');
  }
  const encoding = c.req.header('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Problem(415, 'unsupported_media_type', 'the body has to be sent as it is, without Content-Encoding');
  }
}

async function readText(c: Context): Promise<string> {
  const bytes = await readInTime(c);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Problem(400, 'malformed_json', 'the body is not UTF-8', { cause });
  }
}

/** Milliseconds for a body of JSON to arrive. */
const patience = 30_000;

async function readInTime(c: Context): Promise<Uint8Array> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const close = { headers: { connection: 'close' } };
    late.reject(new Problem(408, 'request_timeout', 'the request took too long to arrive', close));
  }, patience);
  try {
    return await Promise.race([readBytes(c), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function readBytes(c: Context): Promise<Uint8Array> {
  const announced = c.req.header('content-length');
  const isTooLarge = announced !== undefined && Number(announced) > limits.bodyBytes;
  try {
    // Node holds the client to what it announced.
    if (announced !== undefined && !isTooLarge) return new Uint8Array(await c.req.arrayBuffer());
    const body = c.req.raw.body?.getReader();
    const chunks: Uint8Array[] = [];
    let size = isTooLarge ? limits.bodyBytes : 0;
    for (let chunk = await body?.read(); chunk?.done === false; chunk = await body?.read()) {
      size += chunk.value.byteLength;
      if (size > limits.bodyBytes) {
        await discardRest(body);
        throw tooLarge();
      }
      chunks.push(chunk.value);
    }
    return Buffer.concat(chunks);
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem(499, 'caller_gone', 'the connection was closed in the middle of the body', { cause });
  }
}

/** What is read of a body that is too large, and for how many ms: many clients listen only when they have sent all. */
const discarded = { bytes: 4 * limits.bodyBytes, patience: 2_000 } as const;

async function discardRest(body: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<void> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), discarded.patience);
  for (let size = 0; size < discarded.bytes; ) {
    const chunk = await Promise.race([body?.read(), late.promise]);
    if (chunk?.done !== false) break;
    size += chunk.value.byteLength;
  }
  clearTimeout(timer);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Problem(400, 'malformed_json', 'the body is not JSON', { cause });
  }
}

function tooLarge(): Problem {
  const detail = `the body is larger than ${limits.bodyBytes} bytes: send less at once`;
  // There may be more of it on its way: the connection can't be used for another request.
  return new Problem(413, 'body_too_large', detail, { headers: { connection: 'close' } });
}
