import { expect, test } from 'vitest';
import { SqlSyntaxError, splitStatements } from '../../../infra/providers/supabase/migrations/sql-statements.ts';

const texts = (sql: string) => splitStatements(sql).map(({ text }) => text);

test('semicolons in strings, comments, bodies and rules do not end a statement', () => {
  const sql = [
    "create table a (x text default 'ñ;')",
    'create function f() returns int language sql begin atomic select 1; select 2; end',
    'create rule r as on insert to a do also (select 1; select 2)',
    "/* é; /* nested; */ */ insert into a values (E'it\\'s; fine')",
    'do $tag$ begin perform 1; end $tag$',
    'select 1 as "a;b" -- why; not',
  ];
  expect(texts(sql.join(' ;\n\n'))).toEqual(sql);
});

test('comments belong to the statement that follows; alone they are an entry of their own', () => {
  expect(texts('-- a\nselect 1;;\n-- b\n;\n\nselect 2;\n-- c\n')).toEqual([
    '-- a\nselect 1',
    '-- b',
    'select 2',
    '-- c',
  ]);
  expect(splitStatements('-- only\n').map(({ node }) => node)).toEqual([undefined]);
});

test('an empty file has no statements', () => {
  expect(splitStatements('')).toEqual([]);
  expect(splitStatements(' \r\n;;\n')).toEqual([]);
});

test('lines are those of the file, also after characters of several bytes', () => {
  const statements = splitStatements("-- 😀\n\nselect 'ü\n😀';\n/* x */\n  select 2;\nselect 3");
  expect(statements.map(({ textLine, line }) => [textLine, line])).toEqual([
    [1, 3],
    [5, 6],
    [7, 7],
  ]);
});

test.each([
  ['select 1;\n\nselekt 2;', 3, 'syntax error at or near "selekt"'],
  ["select '😀\n😀'\n, from from", 3, 'syntax error at or near "from"'],
  ["select 1;\nselect 'never closed", 2, 'unterminated quoted string'],
  ['create table t (\n', 2, 'syntax error at end of input'],
  ['\\connect other', 1, 'syntax error at or near "\\"'],
])('%j is refused with its line', (sql, line, message) => {
  const error: unknown = (() => {
    try {
      return splitStatements(sql);
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(SqlSyntaxError);
  expect(error).toMatchObject({ line, message: expect.stringContaining(message) });
});

test('the line of the last of a thousand statements is right', () => {
  const sql = Array.from({ length: 1000 }, (_, n) => `create table t${n} (id int, x text default ';');`).join('\n');
  expect(splitStatements(sql).at(-1)).toMatchObject({ line: 1000 });
});
