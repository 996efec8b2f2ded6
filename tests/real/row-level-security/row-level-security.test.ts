import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { askCatalogue, askMatrix, prepareMatrix } from './matrix.ts';
import { guardedTables, type People } from './rows.ts';
import { type ScratchDatabase, type ScratchDatabases, startScratchDatabases } from './scratch-databases.ts';

/** Who reaches which rows of which table: every table that the migrations make, every bucket, every kind of caller. */
let databases: ScratchDatabases;
let database: ScratchDatabase;
let people: People;

beforeAll(async () => {
  databases = await startScratchDatabases((sql, users) => {
    const [ada, bob, carol] = users;
    people = { ada: ada.id, bob: bob.id, carol: carol.id };
    return prepareMatrix(sql, people);
  });
});
afterAll(() => databases?.close());
beforeEach(async () => {
  database = await databases.make();
});
afterEach(() => database?.drop());

test('every table of public is in the matrix, and every bucket', async () => {
  const tables = await database.sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') order by 1`;
  const known = guardedTables.map(({ name }) => name).filter((name) => !name.startsWith('storage.'));
  expect(known.sort()).toEqual(tables.map(({ name }) => name));
  expect(guardedTables.length - known.length).toBe(3);
});

test.each(guardedTables.map((table) => [table.name, table] as const))('%s', async (_name, table) => {
  expect(await askMatrix(database.sql, people, [table], { all: true })).toEqual([]);
});

test('the catalogue grants users what they are meant to write, and anon nothing', async () => {
  expect(await askCatalogue(database.sql)).toEqual([]);
});
