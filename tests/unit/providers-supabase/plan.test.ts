import { expect, test } from 'vitest';
import type { LedgerEntry } from '../../../infra/providers/supabase/migrations/ledger.ts';
import { type MigrationFile, parseMigrationFile } from '../../../infra/providers/supabase/migrations/migration-file.ts';
import { planMigrations } from '../../../infra/providers/supabase/migrations/plan.ts';

function migration(version: string, content = `create table t${version} ();\n`): MigrationFile {
  const { file } = parseMigrationFile(`${version}_t.sql`, content);
  return file ?? expect.fail(`${version} is no migration`);
}

const entryOf = ({ version, name, hash, statements, contract }: MigrationFile): LedgerEntry => ({
  version,
  name,
  hash,
  statements: statements.map(({ text }) => text),
  contract,
});
const byCli = (file: MigrationFile): LedgerEntry => ({ ...entryOf(file), hash: undefined });

function plan(files: MigrationFile[], entries: LedgerEntry[]) {
  const { pending, conflicts, unrecorded, unverified } = planMigrations(files, { entries, unfinished: [] });
  const versions = (of: readonly MigrationFile[]) => of.map(({ version }) => version);
  return {
    pending: versions(pending),
    conflicts: conflicts.map(({ fileName }) => fileName),
    unrecorded: versions(unrecorded),
    unverified: versions(unverified),
  };
}

const one = migration('1');
const two = migration('2');
const nothing = { pending: [], conflicts: [], unrecorded: [], unverified: [] };

test('what the ledger does not have is pending, in order', () => {
  expect(plan([one, two], [])).toEqual({ ...nothing, pending: ['1', '2'] });
  expect(plan([one, two], [entryOf(one)])).toEqual({ ...nothing, pending: ['2'] });
  expect(plan([one, two], [entryOf(one), entryOf(two)])).toEqual(nothing);
});

test('what the Supabase CLI applied is taken over, and its hash kept', () => {
  expect(plan([one, two], [byCli(one)])).toEqual({ ...nothing, pending: ['2'], unrecorded: ['1'] });
});

test('what an old CLI applied, without its statements, is taken over unverified', () => {
  expect(plan([one], [{ ...byCli(one), statements: undefined }])).toEqual({
    ...nothing,
    unrecorded: ['1'],
    unverified: ['1'],
  });
});

test('an edit is a conflict, whoever applied the file', () => {
  const edited = migration('1', 'create table other ();');
  expect(plan([edited], [entryOf(one)])).toEqual({ ...nothing, conflicts: ['1_t.sql'] });
  expect(plan([edited], [byCli(one)])).toEqual({ ...nothing, conflicts: ['1_t.sql'] });
  expect(plan([edited], [{ ...entryOf(one), statements: undefined }])).toEqual({ ...nothing, conflicts: ['1_t.sql'] });
});

test('an edit that "supabase migration repair" wrote into the ledger is settled', () => {
  const edited = migration('1', '-- says more\ncreate table t1 ();\n');
  expect(plan([edited], [{ ...entryOf(edited), hash: one.hash }])).toEqual({ ...nothing, unrecorded: ['1'] });
});

test('a file that is applied and not there is a conflict, and so is a new one before the newest applied', () => {
  expect(plan([one], [entryOf(one), entryOf(two)])).toEqual({ ...nothing, conflicts: ['2_t.sql'] });
  expect(plan([one, two], [entryOf(two)])).toEqual({ ...nothing, pending: ['1'], conflicts: ['1_t.sql'] });
});

test('what is applied and has no file is a conflict, unless it is told to be of a newer release', () => {
  const entries = [entryOf(one), entryOf(two)];
  const conflicts = (ahead?: string[]) =>
    planMigrations([one], { entries, unfinished: [] }, ahead).conflicts.map(({ fileName }) => fileName);
  expect(conflicts()).toEqual(['2_t.sql']);
  expect(conflicts(['2_t'])).toEqual([]);
  expect(conflicts(['2_other'])).toEqual(['2_t.sql']);
});
