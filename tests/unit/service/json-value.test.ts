import { describe, expect, it } from 'vitest';
import { findJsonFault } from '../../../service/conversation/json-value.ts';
import { limits } from '../../../service/conversation/limits.ts';

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

describe('a JSON value', () => {
  it.each([
    ['texts of every script', { text: 'é 😀 \u2028 \u0001' }],
    ['numbers that stay exact', [0, -1.5, 1e-7, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]],
    ['everything else', { a: null, b: true, c: [], d: {}, '': '' }],
    ['keys that name methods', JSON.parse('{"constructor": 1, "toString": {"hasOwnProperty": 2}}')],
    ['as many levels as there may be', nested(limits.jsonDepth)],
  ])('may hold %s', (_what, value) => {
    expect(findJsonFault(value)).toBeUndefined();
  });

  it.each([
    ['integers beyond 2^53', '{"messages":[{"size":9007199254740993}]}', 'number_out_of_range', 'messages.0.size'],
    ['numbers beyond all', '{"a":[1e999]}', 'number_out_of_range', 'a.0'],
    ['NUL', '{"a":"x\\u0000y"}', 'invalid_text', 'a'],
    ['half a surrogate pair', '{"a":{"b":"\\ud800"}}', 'invalid_text', 'a.b'],
    ['half a pair in a key', '{"\\udc00":1}', 'invalid_key', ''],
    ['a key that is a prototype', '{"a":{"__proto__":{"x":1}}}', 'invalid_key', 'a'],
    ['a bare text', '"\\u0000"', 'invalid_text', ''],
  ])('may not hold %s', (_what, json, code, path) => {
    expect(findJsonFault(JSON.parse(json))).toMatchObject({ code, path });
  });

  it('may not go too deep, however deep that is', () => {
    expect(findJsonFault(nested(limits.jsonDepth + 1))).toMatchObject({ code: 'too_deep' });
    const fault = findJsonFault(nested(500_000));
    expect(fault).toMatchObject({ code: 'too_deep' });
    expect(fault?.path.length).toBeLessThan(250);
  });
});
