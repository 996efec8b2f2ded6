import { describe, expect, test } from 'vitest';
import {
  exactNumber,
  isMarked,
  jsonParameter,
  markDocumentBody,
  markOperand,
  markPlainBody,
  markRowsBody,
  parameterValue,
  parseExactJson,
  textParameter,
  unmark,
} from '../../../embedded-supabase/database/exact-values.ts';

/** What lite does with a body: parses it, and hands each value of the row on as a parameter. */
const stored = (body: string, column: 'json' | 'text') => {
  const value = parameterValue(JSON.parse(markRowsBody(body)).value);
  return column === 'json' ? jsonParameter(value) : textParameter(value);
};

describe('a value of a request body', () => {
  test.each([
    ['9007199254740993', '9007199254740993'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['1.10', '1.10'],
    ['1e400', '1e400'],
    ['0.1234567890123456789', '0.1234567890123456789'],
    ['{"n":[9007199254740993,1.50,5]}', '{"n":[9007199254740993,1.50,5]}'],
    ['"9007199254740993"', '"9007199254740993"'],
    ['"true"', '"true"'],
    ['"{\\"a\\":1}"', '"{\\"a\\":1}"'],
    ['"plain"', '"plain"'],
    ['"12 apples, 9007199254740993 pears"', '"12 apples, 9007199254740993 pears"'],
    ['true', 'true'],
    ['{"9007199254740993":"9007199254740993"}', '{"9007199254740993":"9007199254740993"}'],
  ])('%s reaches a json column as %s', (value, json) => {
    expect(stored(`{"value": ${value}}`, 'json')).toBe(json);
  });

  test.each([
    ['9007199254740993', '9007199254740993'],
    ['"007"', '007'],
    ['"true"', 'true'],
    ['"a \\"quoted\\" 9007199254740993"', 'a "quoted" 9007199254740993'],
    ['{"a":[1.0]}', '{"a":[1.0]}'],
  ])('%s reaches a text column as %s', (value, text) => {
    expect(stored(`{"value": ${value}}`, 'text')).toBe(text);
  });

  test('that needs no mark is not marked', () => {
    const body = '{"id":5,"text":"hello","at":"2024-01-01T00:00:00Z","uuid":"0b8a4b9e-6a55-4a34-8a39-1f4a2f1c8f11"}';
    expect(markRowsBody(body)).toBe(body);
  });

  test('in a body of Auth keeps its numbers, and texts are not touched: a password is one', () => {
    const body = '{"password":"12345678901234567890","data":{"n":9007199254740993}}';
    expect(JSON.parse(markDocumentBody(body)).password).toBe('12345678901234567890');
    expect(unmark(markDocumentBody(body))).toBe(body);
  });
});

describe('a value of a row', () => {
  test.each(['9007199254740993', '1.50', '-0.00', '12345678901234567890.123'])('%s is answered as it is', (numeral) => {
    expect(unmark(JSON.stringify([exactNumber(numeral)]))).toBe(`[${numeral}]`);
  });

  test.each(['5', '-1.5', '9007199254740991'])('%s stays a number', (numeral) => {
    expect(exactNumber(numeral)).toBe(Number(numeral));
  });

  test.each(['NaN', 'Infinity', '-Infinity'])('%s is a text, as PostgREST answers it', (numeral) => {
    expect(JSON.stringify(exactNumber(numeral))).toBe(`"${numeral}"`);
  });

  test('of JSON is answered digit by digit', () => {
    const json = '{"a":9007199254740993,"b":[1.10,{"c":"9007199254740993"}],"d":"x\\"1.10"}';
    expect(unmark(JSON.stringify(parseExactJson(json)))).toBe(json);
  });

  test('comes out of CSV without a trace, also inside quoted JSON', () => {
    const cell = JSON.stringify({ n: exactNumber('9007199254740993') }).replaceAll('"', '""');
    expect(unmark(`${exactNumber('9007199254740993')},"${cell}"`)).toBe('9007199254740993,"{""n"":9007199254740993}"');
  });
});

describe('a mark', () => {
  test('is taken off a body that is no JSON', () => {
    const csv = 'id,text\n9007199254740993,order 9007199254740993 of 5';
    expect(markPlainBody(csv)).not.toBe(csv);
    expect(unmark(markPlainBody(csv))).toBe(csv);
  });

  test.each([' padded ', 'null', '1e5', '007', 'ü~!', ''])('keeps the operand "%s"', (operand) => {
    expect(String(parameterValue(markOperand(operand)))).toBe(operand);
  });

  test('is found in bytes', () => {
    expect(isMarked(Buffer.from(markOperand('x')))).toBe(true);
    expect(isMarked(Buffer.from('~0123~n:5'))).toBe(false);
  });

  test('can’t be forged: what looks like one stays a text', () => {
    expect(parameterValue('~0123456789abcdef01234567~n:5')).toBe('~0123456789abcdef01234567~n:5');
  });
});
