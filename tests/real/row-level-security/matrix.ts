import type postgres from 'postgres';
import { z } from 'zod';
import { type GuardedTable, guardedTables, type People } from './rows.ts';

/** One expectation that the database did not meet. */
export interface Deviation {
  readonly cell: string;
  readonly expected: string;
  readonly actual: string;
}

/** A database, or a transaction in it. */
type Connection = postgres.Sql | postgres.TransactionSql;

/** A role of the tests that owns tables, as the role of migrations does where it is no superuser. */
const tableOwner = 'rls_test_owner';

/**
 * Runs a statement as somebody, says what came of it, and undoes it: rows before and after are compared as superuser.
 * `relation` and `within` say which rows count.
 */
const probe = `
  create schema rls_test;
  create function rls_test.probe(actor text, claims text, relation text, label text, within text, statement text)
    returns jsonb language plpgsql as $probe$
  declare
    rows text := format('select coalesce(jsonb_object_agg(%s, md5(t::text)), ''{}'') from %s t where %s', label, relation, within);
    before jsonb;
    after jsonb;
    outcome jsonb;
  begin
    if actor = '${tableOwner}' then
      execute format('alter table %s owner to %I', relation, actor);
    end if;
    execute rows into before;
    perform set_config('request.jwt.claims', claims, true), set_config('role', actor, true);
    begin
      if statement = 'select' then
        execute rows into outcome;
      else
        execute statement;
      end if;
    exception when others then
      outcome := jsonb_build_object('state', sqlstate, 'message', sqlerrm);
    end;
    perform set_config('role', 'none', true);
    execute rows into after;
    raise exception using errcode = 'RLS01',
      message = jsonb_build_object('before', before, 'after', after, 'outcome', outcome)::text;
  exception when sqlstate 'RLS01' then
    return sqlerrm::jsonb;
  end $probe$;`;

const rowsByLabel = z.record(z.string(), z.string());
const failure = z.object({ state: z.string(), message: z.string() });
const probed = z.tuple([
  z.object({
    result: z.object({
      before: rowsByLabel,
      after: rowsByLabel,
      outcome: z.union([failure, rowsByLabel]).nullable(),
    }),
  }),
]);

/** Makes the rows of every table, and what looks at them. */
export async function prepareMatrix(sql: postgres.Sql, people: People): Promise<void> {
  await sql.unsafe(guardedTables.map((table) => table.seed(people)).join('\n'));
  await sql.unsafe(probe);
  await sql.unsafe(`create role ${tableOwner} nologin; grant usage on schema public to ${tableOwner}`);
  // Its policies are to hold by themselves: hosted Supabase lets the server around them, others may not.
  await sql.unsafe('alter role service_role nobypassrls');
}

/** Asks for every cell of the given tables until one deviates; all of them when `all` is set. */
export async function askMatrix(
  sql: Connection,
  people: People,
  tables: readonly GuardedTable[],
  { all }: { readonly all: boolean },
): Promise<Deviation[]> {
  const found: Deviation[] = [];
  const layers = ['deployed', 'withEveryGrant'] as const;
  for (const layer of layers) {
    if (layer === 'withEveryGrant') {
      await sql.unsafe(
        'grant all on all tables in schema public, storage to anon, authenticated, service_role; grant usage on schema storage to anon',
      );
    }
    for (const table of tables) {
      for (const [actor, expectations] of Object.entries(table[layer])) {
        const statements: Record<string, string> = { select: 'select', ...table.statements(people) };
        for (const [name, expected] of Object.entries(expectations)) {
          const actual = await ask(sql, people, table, actor, statements[name] ?? `no statement: ${name}`);
          if (actual === expected) continue;
          found.push({ cell: `${table.name} (${layer}): ${actor}, ${name}`, expected, actual });
          if (!all) return found;
        }
      }
    }
  }
  return found;
}

const writable = z.object({ role: z.string(), insert: z.array(z.string()), update: z.array(z.string()) });
const exceeding = z.object({ what: z.string() });

/**
 * What the catalogue has to say, beside what statements show: which columns users may write, that anon and users have no
 * other privileges, that anon executes no function, and that no policy is for anybody but users and the server. A policy
 * that leans on another table may be widened without any statement that shows it, until that table is.
 */
export async function askCatalogue(sql: Connection): Promise<Deviation[]> {
  const found: Deviation[] = [];
  for (const { name, userColumns } of guardedTables.filter(({ isForced }) => isForced)) {
    const rows = z.array(writable).parse(
      await sql`
        select r.role, array_remove(array_agg(case when has_column_privilege(r.role, c.attrelid, c.attnum, 'insert') then c.attname::text end order by c.attname), null) as insert,
               array_remove(array_agg(case when has_column_privilege(r.role, c.attrelid, c.attnum, 'update') then c.attname::text end order by c.attname), null) as update
        from pg_attribute c, unnest(array['anon', 'authenticated']) r (role)
        where c.attrelid = ${name}::regclass and c.attnum > 0 and not c.attisdropped group by r.role`,
    );
    for (const { role, ...columns } of rows) {
      const wanted = role === 'anon' ? { insert: [], update: [] } : userColumns;
      for (const privilege of ['insert', 'update'] as const) {
        const [expected, actual] = [wanted[privilege].join(', '), columns[privilege].join(', ')];
        if (expected !== actual)
          found.push({ cell: `${name}: columns that ${role} may ${privilege}`, expected, actual });
      }
    }
  }
  const more = z.array(exceeding).parse(
    await sql`
      select format('%s may %s %s', r, p, c.oid::regclass) as what
      from pg_class c, unnest(array['anon', 'authenticated']) r, unnest(array['truncate', 'references', 'trigger']) p
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and has_table_privilege(r, c.oid, p)
      union all
      select format('anon may execute %s', oid::regprocedure) from pg_proc
      where pronamespace = 'public'::regnamespace and has_function_privilege('anon', oid, 'execute')
      union all
      select format('policy %I on %I.%I is for %s', policyname, schemaname, tablename, roles) from pg_policies
      where schemaname in ('public', 'storage') and not roles <@ array['authenticated', 'service_role']::name[]`,
  );
  return [...found, ...more.map(({ what }) => ({ cell: 'catalogue', expected: 'nothing like it', actual: what }))];
}

async function ask(sql: Connection, people: People, table: GuardedTable, actor: string, statement: string) {
  const [relation = '', bucket] = table.name.split(' in ');
  const within = bucket === undefined ? 'true' : `t.bucket_id = '${bucket}' or t.user_metadata ->> 'row' = 'foreign'`;
  const { role, claims } = sessionOf(actor, people);
  const [{ result }] = probed.parse(
    await sql`select rls_test.probe(${role}, ${claims}, ${relation}, ${table.label}, ${within}, ${statement}) as result`,
  );
  const { before, after, outcome } = result;
  const every = Object.keys(before).sort().join(', ');
  const shown = (labels: string[]) => {
    const list = labels.sort().join(', ');
    return list === every && bucket === undefined ? 'all' : list || 'none';
  };
  const failed = failure.safeParse(outcome);
  if (failed.success) return failureOf(failed.data);
  if (statement === 'select') return shown(Object.keys(outcome ?? {}));
  if (Object.keys(after).some((label) => before[label] === undefined)) return 'ok';
  return shown(Object.keys(before).filter((label) => after[label] !== before[label]));
}

function failureOf({ state, message }: z.output<typeof failure>): string {
  if (state !== '42501') return `${state} ${message}`;
  return message.includes('row-level security') ? 'refused' : 'no grant';
}

/** The role and the claims of a request, as the API sets them. */
function sessionOf(actor: string, { ada, bob }: People): { role: string; claims: string } {
  const sessions: Readonly<Record<string, [role: string, sub?: string]>> = {
    ada: ['authenticated', ada],
    bob: ['authenticated', bob],
    nameless: ['authenticated'],
    anon: ['anon'],
    'anon as ada': ['anon', ada],
    server: ['service_role'],
    'table owner': [tableOwner, ada],
  };
  const [role, sub] = sessions[actor] ?? [actor];
  return { role, claims: JSON.stringify(sub === undefined ? { role } : { role, sub }) };
}
