import Table from 'cli-table3';
import type postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askCatalogue, askMatrix, prepareMatrix } from './matrix.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { guardedTables, type People } from './rows.ts';
import { type ScratchDatabases, startScratchDatabases } from './scratch-databases.ts';

/** Whether the matrix has teeth: every policy, grant and switch is loosened in turn, and it has to notice each time. */
let databases: ScratchDatabases;
let people: People;

beforeAll(async () => {
  databases = await startScratchDatabases((sql, users) => {
    const [ada, bob, carol] = users;
    people = { ada: ada.id, bob: bob.id, carol: carol.id };
    return prepareMatrix(sql, people);
  });
});
afterAll(() => databases?.close());

/** The first expectation that a mutant fails; undefined when it survives. It lives in a transaction that is undone. */
async function killerOf(mutant: Mutant, database: postgres.Sql): Promise<string | undefined> {
  let killer: string | undefined;
  const undone = new Error('undone');
  const life = database.begin(async (sql) => {
    await sql.unsafe(mutant.sql);
    const own = guardedTables.filter(({ name }) => name.split(' in ')[0] === mutant.table);
    // First the catalogue as it is: the matrix grants everything in its second half.
    const inCatalogue = await askCatalogue(sql);
    const [deviation] = [...(await askMatrix(sql, people, own, { all: false })), ...inCatalogue];
    killer = deviation && `${deviation.cell}: ${deviation.actual}, not ${deviation.expected}`;
    throw undone;
  });
  await life.catch((error: unknown) => {
    if (error !== undone) throw error;
  });
  return killer;
}

test('every mutant is noticed', { timeout: 300_000 }, async () => {
  const database = await databases.make();
  const mutants = await mutantsOf(database.sql);
  const nothing: Mutant = { table: 'public.messages', kind: 'none', what: 'nothing', sql: 'select 1' };
  expect(await killerOf(nothing, database.sql)).toBeUndefined();
  expect(mutants.length).toBeGreaterThan(80);

  const survivors: string[] = [];
  const byKind = new Map<string, { made: number; noticed: number; example: string }>();
  for (const mutant of mutants) {
    const killer = await killerOf(mutant, database.sql);
    if (killer === undefined) survivors.push(`${mutant.kind}: ${mutant.what}`);
    const { made, noticed, example } = byKind.get(mutant.kind) ?? { made: 0, noticed: 0, example: '' };
    byKind.set(mutant.kind, {
      made: made + 1,
      noticed: noticed + (killer === undefined ? 0 : 1),
      example: example || `${mutant.what} → ${killer}`,
    });
  }
  expect(await killerOf(nothing, database.sql)).toBeUndefined();
  await database.drop();

  const table = new Table({ head: ['mutation', 'made', 'noticed', 'for example'], style: { head: [], border: [] } });
  for (const [kind, { made, noticed, example }] of byKind) table.push([kind, made, noticed, example]);
  const noticed = mutants.length - survivors.length;
  console.log(
    `${table}\nmutation score: ${noticed}/${mutants.length} = ${Math.floor((100 * noticed) / mutants.length)} %`,
  );
  expect(survivors).toEqual([]);
});
