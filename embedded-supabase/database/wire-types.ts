import type { PostgresType } from 'postgres';
import { exactNumber, jsonParameter, parseExactJson, textParameter } from './exact-values.ts';

const text = (value: unknown): string => String(value);

/** "2024-05-01 10:00:00.12+00" → "2024-05-01T10:00:00.12+00:00", as PostgREST writes it; infinity and BC stay. */
export function isoTimestamp(value: string): string {
  const match = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:([+-]\d\d)(:\d\d)?)?$/.exec(value);
  if (match === null) return value;
  const [, date, time, hours, minutes] = match;
  return hours === undefined ? `${date}T${time}` : `${date}T${time}${hours}${minutes ?? ':00'}`;
}

/**
 * How values cross the wire, by type. Like lite's own, but times are written as PostgREST writes them and no number
 * and no JSON changes on the way.
 */
export const wireTypes = {
  bigint: { to: 20, from: [20], serialize: text, parse: exactNumber },
  numeric: { to: 1700, from: [1700], serialize: text, parse: exactNumber },
  float: { to: 701, from: [700, 701], serialize: text, parse: exactFloat },
  json: { to: 114, from: [114], serialize: jsonParameter, parse: parseExactJson },
  jsonb: { to: 3802, from: [3802], serialize: jsonParameter, parse: parseExactJson },
  boolean: { to: 16, from: [16], serialize: text, parse: (value: string) => value === 't' },
  bytea: { to: 17, from: [17], serialize: byteaParameter, parse: text },
  text: { to: 25, from: [25], serialize: textParameter, parse: text },
  varchar: { to: 1043, from: [1043], serialize: textParameter, parse: text },
  date: { to: 1082, from: [1082], serialize: text, parse: text },
  time: { to: 1083, from: [1083], serialize: text, parse: text },
  timetz: { to: 1266, from: [1266], serialize: text, parse: text },
  timestamp: { to: 1114, from: [1114], serialize: timestampParameter, parse: isoTimestamp },
  timestamptz: { to: 1184, from: [1184], serialize: timestampParameter, parse: isoTimestamp },
} satisfies Record<string, PostgresType>;

/** PostgREST gives and takes bytes as PostgreSQL writes them: `\\xdeadbeef`. */
function byteaParameter(value: unknown): string {
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : String(value);
}

/** NaN and the infinities have no number in JSON: PostgREST writes them as texts. */
function exactFloat(value: string): number | string {
  const number = Number(value);
  return Number.isFinite(number) ? number : value;
}

function timestampParameter(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}
