import type postgres from 'postgres';
import { z } from 'zod';

/** One way in which somebody could loosen a table, or lose what guards it. */
export interface Mutant {
  /** `schema.table`; undefined when it is about all of public. */
  readonly table: string | undefined;
  readonly kind: string;
  readonly what: string;
  readonly sql: string;
}

const policyRow = z.object({
  table: z.string(),
  name: z.string(),
  command: z.enum(['all', 'select', 'insert', 'update', 'delete']),
  roles: z.string(),
  using: z.string().nullable(),
  with_check: z.string().nullable(),
});
const tableRow = z.object({ name: z.string(), schema: z.string(), granted: z.array(z.string()) });

/**
 * Every mutant of the tables of public and of storage.objects, from the catalogue. Left out is what changes nothing: a
 * condition that is `true` already, and a `with check` that says what PostgreSQL takes in its place, the `using`.
 */
export async function mutantsOf(sql: postgres.Sql): Promise<Mutant[]> {
  const tables = z.array(tableRow).parse(
    await sql`
      select format('%I.%I', n.nspname, c.relname) as name, n.nspname as schema, array(
               select p from unnest(array['select', 'insert', 'update', 'delete']) p
               where has_table_privilege('authenticated', c.oid, p)
             ) as granted
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and (n.nspname = 'public' or c.oid = 'storage.objects'::regclass) order by 1`,
  );
  const policies = z.array(policyRow).parse(
    await sql`
      select format('%I.%I', schemaname, tablename) as table, policyname as name, lower(cmd) as command,
             array_to_string(array(select quote_ident(r) from unnest(roles) r), ', ') as roles, qual as using, with_check
      from pg_policies where schemaname in ('public', 'storage') order by 1, 2`,
  );
  return [
    ...tables.flatMap(ofTable),
    ...policies.flatMap(ofPolicy),
    ...['anon', 'public'].map((role) => ({
      table: undefined,
      kind: 'functions widened',
      what: `every function of public may be executed by ${role}`,
      sql: `grant execute on all functions in schema public to ${role}`,
    })),
  ];
}

function ofTable({ name, schema, granted }: z.output<typeof tableRow>): Mutant[] {
  const mutants: Mutant[] = [
    { table: name, kind: 'RLS disabled', what: name, sql: `alter table ${name} disable row level security` },
  ];
  // Storage's tables are the platform's: it grants all on them to everybody, and forces nothing.
  if (schema === 'storage') return mutants;
  mutants.push({ table: name, kind: 'force off', what: name, sql: `alter table ${name} no force row level security` });
  for (const privilege of ['select', 'insert', 'update', 'delete', 'truncate']) {
    for (const role of ['anon', 'public', 'authenticated']) {
      if (role === 'authenticated' && granted.includes(privilege)) continue;
      const what = `${privilege} on ${name} to ${role}`;
      mutants.push({ table: name, kind: 'grant widened', what, sql: `grant ${privilege} on ${name} to ${role}` });
    }
  }
  return mutants;
}

function ofPolicy(policy: z.output<typeof policyRow>): Mutant[] {
  const { table, name, command, roles, using, with_check: check } = policy;
  const on = `"${name}" on ${table}`;
  const mutants: Mutant[] = [
    { table, kind: 'policy dropped', what: on, sql: `drop policy ${on}` },
    { table, kind: 'roles widened to anon', what: on, sql: `alter policy ${on} to ${roles}, anon` },
    { table, kind: 'roles widened to public', what: on, sql: `alter policy ${on} to public` },
  ];
  if (using !== null && using !== 'true')
    mutants.push({ table, kind: 'using (true)', what: on, sql: `alter policy ${on} using (true)` });
  if (check !== null && check !== 'true')
    mutants.push({ table, kind: 'with check (true)', what: on, sql: `alter policy ${on} with check (true)` });
  if (check !== null && using !== null && check !== using) {
    const anew = `create policy ${on} for ${command} to ${roles} using (${using})`;
    mutants.push({ table, kind: 'with check removed', what: on, sql: `drop policy ${on}; ${anew}` });
  }
  return mutants;
}
