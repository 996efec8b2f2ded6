import { randomBytes } from 'node:crypto';
import { ArrayValue } from './arrays.ts';

/**
 * Carries values that JavaScript or lite would change through both, unchanged.
 *
 * lite parses request bodies and rows with `JSON.parse`, turns numeric text into `Number` and text that looks like
 * JSON into JSON. So 9007199254740993 would be stored as …992, the text "true" in a jsonb column as a boolean, and
 * numeric 1.50 be answered as text. Here such a value travels as a marked string instead: marked where it comes in
 * (request body, row), unmarked where it goes out (query parameter, response). The mark is random for each process,
 * so that no client can write one.
 */
const mark = `~${randomBytes(12).toString('hex')}~`;
const numberMark = `${mark}n:`;
const textMark = `${mark}t:`;
const operandMark = `${mark}o:`;

const jsonToken = /"((?:[^"\\]|\\.)*)"(\s*:)?|-?\d[\d.eE+-]*/g;
const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const markedNumber = new RegExp(`(""|"|)${numberMark}(-?\\d[\\d.eE+-]*)\\1`, 'g');
const markedNumberOnly = new RegExp(`^${numberMark}(-?\\d[\\d.eE+-]*)$`);
const markedOperand = new RegExp(`${operandMark}([\\w-]*)`, 'g');
const longDigits = /-?\d[\d.]{15,}/g;

/** Whether `Number` keeps this numeral as it is written. */
function survives(numeral: string): boolean {
  const value = Number(numeral);
  return Number.isFinite(value) && String(value) === numeral;
}

/** A numeral from PostgreSQL: a number where that is exact, else its marked form. */
export function exactNumber(numeral: string): number | string {
  if (survives(numeral)) return Number(numeral);
  return jsonNumber.test(numeral) ? numberMark + numeral : numeral; // NaN and Infinity are strings in JSON
}

/** JSON text with every numeral that `JSON.parse` would change replaced by its marked form. */
function markNumbers(json: string, markText: (text: string) => string = (text) => text): string {
  return json.replace(jsonToken, (token, text: string | undefined, key: string | undefined) => {
    if (text === undefined) return survives(token) ? token : `"${numberMark}${token}"`;
    return key === undefined ? `"${markText(text)}"` : token;
  });
}

/** Parses JSON of a row; numerals that a number can't hold come out marked. */
export function parseExactJson(json: string): unknown {
  return JSON.parse(/\d[\d.]{15}|\d\.\d|\d[eE]/.test(json) ? markNumbers(json) : json);
}

/** Whether lite would take this text for something else than text. */
function looksLikeData(text: string): boolean {
  const trimmed = text.trim();
  if (/^[-+.\d]/.test(trimmed))
    return jsonNumber.test(trimmed) || (trimmed.length > 15 && Number.isFinite(Number(trimmed)));
  if (!/^[[{\\tfn]/.test(trimmed)) return false;
  return trimmed === 'true' || trimmed === 'false' || trimmed === 'null' || /^[[{\\]/.test(trimmed);
}

/** A JSON request body for /rest/v1, safe to go through lite: numerals and texts keep their value and their type. */
export function markRowsBody(json: string): string {
  return markNumbers(json, (text) => (looksLikeData(text) ? textMark + text : text));
}

/** A JSON request body for /auth/v1: numerals keep their value; texts (a password is one) stay as they are. */
export function markDocumentBody(json: string): string {
  return markNumbers(json);
}

/** A value of a filter or an argument in an address: a numeral or a text; neither changes, spaces around it included. */
export function markOperand(operand: string): string {
  if (jsonNumber.test(operand)) return numberMark + operand;
  return operandMark + Buffer.from(operand).toString('base64url');
}

/** A CSV or form body, or any other text with numerals in it: every long one keeps its digits. */
export function markPlainBody(body: string): string {
  return body.replace(longDigits, (numeral) => (survives(numeral) ? numeral : numberMark + numeral));
}

/** Any text with the marks taken off again: JSON, CSV, a header. */
export function unmark(text: string): string {
  if (!text.includes(mark)) return text;
  return text
    .replace(markedNumber, '$2')
    .replace(markedOperand, (_, encoded: string) => Buffer.from(encoded, 'base64url').toString('utf8'))
    .replaceAll(textMark, '');
}

/** Whether these bytes hold a mark: tells a response that must be unmarked. */
export function isMarked(bytes: Buffer): boolean {
  return bytes.includes(mark);
}

/** A text that stays a text even in a json column. */
class KeptText {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  toString(): string {
    return this.#text;
  }
  toJSON(): string {
    return this.#text;
  }
}

/** A numeral as it was written. */
class KeptNumeral {
  readonly #numeral: string;
  constructor(numeral: string) {
    this.#numeral = numeral;
  }
  toString(): string {
    return this.#numeral;
  }
  toJSON(): string {
    return numberMark + this.#numeral;
  }
}

/** A query parameter with its marks taken off; what it stands for is kept until its column's type is known. */
export function parameterValue(value: unknown): unknown {
  if (Array.isArray(value)) return new ArrayValue(value.map(parameterValue));
  if (typeof value !== 'string' || !value.includes(mark)) return value;
  if (value.startsWith(textMark) || value.startsWith(operandMark)) return new KeptText(unmark(value));
  const numeral = markedNumberOnly.exec(value)?.[1];
  return numeral === undefined ? unmark(value) : new KeptNumeral(numeral);
}

/**
 * A parameter for a json or jsonb column. lite hands documents over both as values and as JSON text, so text that is
 * JSON is taken as such; a request's own texts were marked and stay texts.
 */
export function jsonParameter(value: unknown): string {
  if (typeof value === 'string' && isJson(value)) return value;
  return unmark(JSON.stringify(value));
}

/** A parameter for a text column: a document becomes its JSON. */
export function textParameter(value: unknown): string {
  const isDocument =
    typeof value === 'object' && value !== null && !(value instanceof KeptText) && !(value instanceof KeptNumeral);
  return isDocument ? unmark(JSON.stringify(value)) : String(value);
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
