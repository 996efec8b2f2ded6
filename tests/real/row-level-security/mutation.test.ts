import Table from 'cli-table3';
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

/** The first expectation that a mutant fails; undefined when it survives. */
async function killerOf(mutant: Mutant): Promise<string | undefined> {
  const database = await databases.make();
  try {
    await database.sql.unsafe(mutant.sql);
    const own = guardedTables.filter(({ name }) => name.split(' in ')[0] === mutant.table);
    // First the catalogue as it is: the matrix grants everything in its second half.
    const inCatalogue = await askCatalogue(database.sql);
    const [deviation] = [...(await askMatrix(database.sql, people, own, { all: false })), ...inCatalogue];
    return deviation && `${deviation.cell}: ${deviation.actual}, not ${deviation.expected}`;
  } finally {
    await database.drop();
  }
}

test('every mutant is noticed', { timeout: 600_000 }, async () => {
  const pristine = await databases.make();
  const mutants = await mutantsOf(pristine.sql);
  expect(await askCatalogue(pristine.sql)).toEqual([]);
  await pristine.drop();
  expect(mutants.length).toBeGreaterThan(80);

  const survivors: string[] = [];
  const byKind = new Map<string, { made: number; noticed: number; example: string }>();
  for (const mutant of mutants) {
    const killer = await killerOf(mutant);
    if (killer === undefined) survivors.push(`${mutant.kind}: ${mutant.what}`);
    const { made, noticed, example } = byKind.get(mutant.kind) ?? { made: 0, noticed: 0, example: '' };
    byKind.set(mutant.kind, {
      made: made + 1,
      noticed: noticed + (killer === undefined ? 0 : 1),
      example: example || `${mutant.what} → ${killer}`,
    });
  }
  const table = new Table({ head: ['mutation', 'made', 'noticed', 'for example'], style: { head: [], border: [] } });
  for (const [kind, { made, noticed, example }] of byKind) table.push([kind, made, noticed, example]);
  const noticed = mutants.length - survivors.length;
  console.log(
    `${table}\nmutation score: ${noticed}/${mutants.length} = ${Math.floor((100 * noticed) / mutants.length)} %`,
  );
  expect(survivors).toEqual([]);
});
