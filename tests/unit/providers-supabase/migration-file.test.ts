import { describe, expect, test } from 'vitest';
import { lint } from '../../../infra/providers/supabase/migrations/lint.ts';
import { formatProblem, parseMigrationFile } from '../../../infra/providers/supabase/migrations/migration-file.ts';

const name = '20250101000000_users.sql';

/** Every problem of a file, as shown. */
function problemsOf(content: string, fileName = name): string[] {
  const { file, problems } = parseMigrationFile(fileName, content);
  return [...problems, ...(file ? lint(file) : [])].map(formatProblem);
}

test('version and name come from the file name', () => {
  expect(parseMigrationFile('007_add_the_users.sql', 'select 1').file).toMatchObject({
    version: '007',
    name: 'add_the_users',
    inTransaction: true,
  });
});

test.each(['users.sql', '2025-01-01_users.sql', '20250101000000.sql', '20250101000000_.sql'])(
  '%s is misnamed',
  (bad) => {
    expect(problemsOf('select 1', bad)).toEqual([
      `${bad}: is not named <version>_<name>.sql, for example 20250131120000_add_users.sql: rename it`,
    ]);
  },
);

test('the hash is of the content, whatever the line ends', () => {
  const hash = (content: string) => parseMigrationFile(name, content).file?.hash;
  expect(hash('select 1;\r\nselect 2;\r\n')).toBe(hash('select 1;\nselect 2;\n'));
  expect(hash('select 1;\nselect 2;\n')).not.toBe(hash('select 1; select 2;\n'));
  expect(hash('select 1')).toMatch(/^[0-9a-f]{64}$/);
});

test('a syntax error has its line', () => {
  expect(problemsOf('select 1;\nselect fromm;\nselect a b c;')).toEqual([`${name}:3: syntax error at or near "c"`]);
});

test('a byte order mark is named as what it is', () => {
  expect(problemsOf('\uFEFFselect 1')).toEqual([
    `${name}:1: begins with a byte order mark: save it as UTF-8 without BOM`,
  ]);
});

describe('a file outside a transaction', () => {
  const index = 'create index concurrently a_x on a (x);';

  test('says so above its statement', () => {
    const content = `-- Index for the list.\n--  migrate: no-transaction\r\n\n${index}`;
    expect(parseMigrationFile(name, content).file?.inTransaction).toBe(false);
    expect(problemsOf(content)).toEqual([]);
  });

  test('has one statement', () => {
    expect(problemsOf(`-- migrate: no-transaction\n${index}\n-- and\nselect 1;`)).toEqual([
      expect.stringMatching(
        /^20250101000000_users\.sql:4: is the second statement of a file that runs outside a transaction/,
      ),
    ]);
  });

  test('names its index', () => {
    expect(problemsOf('-- migrate: no-transaction\ncreate index concurrently on a (x)')).toEqual([
      `${name}:2: create index concurrently needs a name here, so that what a failed run leaves can be found`,
    ]);
  });

  test('a misspelt directive is not taken for a comment', () => {
    expect(problemsOf(`\n-- migrate: notransaction\n${index}`)).toContain(
      `${name}:2: "migrate: notransaction" is not known: what there is, is "migrate: no-transaction"`,
    );
  });

  test('the directive counts above the first statement only', () => {
    expect(parseMigrationFile(name, 'select 1;\n-- migrate: no-transaction').file?.inTransaction).toBe(true);
  });
});

test.each([
  ['create index concurrently i on t (x)', 'create index concurrently'],
  ['drop index concurrently i', 'drop index concurrently'],
  ['reindex table concurrently t', 'reindex concurrently'],
  ['reindex schema public', 'reindex of more than a table'],
  ['alter table p detach partition c concurrently', 'detach partition concurrently'],
  ['vacuum full t', 'vacuum'],
  ['create database d', 'create database'],
  ["alter system set work_mem = '1MB'", 'alter system'],
])('%s is refused inside a transaction, with the way on', (sql, command) => {
  expect(problemsOf(`select 1;\n${sql};`)).toEqual([
    `${name}:2: ${command} can't run inside a transaction: put it into a file of its own that begins with the line "-- migrate: no-transaction"`,
  ]);
  expect(problemsOf(`-- migrate: no-transaction\n${sql};`)).toEqual([]);
});

test.each(['analyze t', 'reindex table t', 'create index i on t (x)', 'savepoint s', 'rollback to s', 'drop index i'])(
  '%s may stand in a transaction',
  (sql) => {
    expect(problemsOf(sql)).toEqual([]);
  },
);

test.each(['begin', 'start transaction', 'commit', 'rollback', 'end'])(
  '%s is refused: the file is the transaction',
  (sql) => {
    expect(problemsOf(`select 1;\n\n${sql};`)).toEqual([
      `${name}:3: a file is one transaction by itself, together with its row in the ledger: remove begin, commit and rollback`,
    ]);
  },
);

test('copy from a stream that is not there is refused; from a file it is not', () => {
  expect(problemsOf('copy t from stdin')).toEqual([expect.stringContaining(`${name}:1: copy from stdin`)]);
  expect(problemsOf("copy t from '/srv/t.csv'")).toEqual([]);
});
