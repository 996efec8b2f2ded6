import { z } from 'zod';
import type { Database } from '../database/database.ts';

/** Who may do what, by the catalogue: `role` is PUBLIC for everybody. */
const grant = z.object({ role: z.string(), privileges: z.array(z.string()) });

const table = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.enum(['table', 'view', 'materialized view', 'foreign table']),
  owner: z.string(),
  isPartition: z.boolean(),
  rowSecurity: z.boolean(),
  rowSecurityForced: z.boolean(),
  options: z.array(z.string()),
  grants: z.array(grant),
  columnGrants: z.array(grant),
  /** Columns that name a user: they refer to auth.users. */
  ownerColumns: z.array(z.string()),
  /** API roles that can select from it. */
  readers: z.array(z.string()),
  /** Whether the grants let service_role read and write. */
  serverHasGrants: z.boolean(),
});
export type AuditedTable = z.output<typeof table>;

const policy = z.object({
  schema: z.string(),
  table: z.string(),
  name: z.string(),
  command: z.enum(['all', 'select', 'insert', 'update', 'delete']),
  permissive: z.boolean(),
  roles: z.array(z.string()),
  using: z.string().nullable(),
  withCheck: z.string().nullable(),
  /** Of anon, authenticated and service_role those that it is for, by membership too. */
  appliesTo: z.array(z.string()),
});
export type AuditedPolicy = z.output<typeof policy>;

const functionRow = z.object({
  schema: z.string(),
  /** With its types, for example `public.f(uuid)`. */
  signature: z.string(),
  owner: z.string(),
  isDefiner: z.boolean(),
  settings: z.array(z.string()),
  source: z.string(),
  executors: z.array(z.string()),
});
export type AuditedFunction = z.output<typeof functionRow>;

const schemaGrants = z.object({ schema: z.string(), makers: z.array(z.string()) });
const defaultGrants = z.object({
  schema: z.string().nullable(),
  owner: z.string(),
  objects: z.enum(['tables', 'sequences', 'functions', 'types', 'schemas', 'other']),
  grants: z.array(grant),
});
export type DefaultGrants = z.output<typeof defaultGrants>;

const snapshotSchema = z.object({
  serverBypasses: z.boolean(),
  schemas: z.array(schemaGrants),
  tables: z.array(table),
  sequences: z.array(z.object({ schema: z.string(), name: z.string(), owner: z.string(), grants: z.array(grant) })),
  policies: z.array(policy),
  functions: z.array(functionRow),
  defaults: z.array(defaultGrants),
});

/** All of a database that decides who reaches what through the API; in a fixed order. */
export type SecuritySnapshot = z.output<typeof snapshotSchema>;

const grants = (acl: string) => `(
  select coalesce(jsonb_agg(jsonb_build_object('role', g.role, 'privileges', g.privileges) order by g.role), '[]')
  from (
    select case a.grantee when 0 then 'PUBLIC' else pg_get_userbyid(a.grantee)::text end as role,
           array_agg(distinct lower(a.privilege_type) order by lower(a.privilege_type)) as privileges
    from aclexplode(${acl}) a group by 1
  ) g)`;

const apiRoles = `unnest('{anon,authenticated,service_role}'::text[])`;
const inScope = `n.nspname in (select jsonb_array_elements_text($1::text::jsonb))`;
const byHand = (catalogue: string, oid: string) =>
  `not exists (select from pg_depend d where d.classid = '${catalogue}'::regclass and d.objid = ${oid} and d.deptype = 'e')`;

const tables = `
  select n.nspname as schema, c.relname as name,
         case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end as kind,
         pg_get_userbyid(c.relowner)::text as owner, c.relispartition as "isPartition",
         c.relrowsecurity as "rowSecurity", c.relforcerowsecurity as "rowSecurityForced",
         to_jsonb(coalesce(c.reloptions, '{}')) as options,
         ${grants(`coalesce(c.relacl, acldefault('r', c.relowner))`)} as grants,
         ${grants('(select array_agg(item) from pg_attribute t, unnest(t.attacl) item where t.attrelid = c.oid and not t.attisdropped)')}
           as "columnGrants",
         to_jsonb(array(
           select t.attname::text from pg_constraint k join pg_attribute t on t.attrelid = c.oid and t.attnum = any (k.conkey)
           where k.conrelid = c.oid and k.contype = 'f' and k.confrelid = to_regclass('auth.users') order by 1
         )) as "ownerColumns",
         to_jsonb(array(
           select r::text from unnest('{anon,authenticated}'::text[]) r
           where has_table_privilege(r::name, c.oid, 'select') or has_any_column_privilege(r::name, c.oid, 'select')
         )) as readers,
         (select bool_and(has_table_privilege('service_role', c.oid, p)) from unnest('{select,insert,update,delete}'::text[]) p)
           as "serverHasGrants"
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${inScope} and c.relkind in ('r', 'p', 'v', 'm', 'f')
  order by 1, 2`;

const sequences = `
  select n.nspname as schema, c.relname as name, pg_get_userbyid(c.relowner)::text as owner,
         ${grants(`coalesce(c.relacl, acldefault('s', c.relowner))`)} as grants
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${inScope} and c.relkind = 'S' and ${byHand('pg_class', 'c.oid')}
  order by 1, 2`;

const policies = `
  select n.nspname as schema, c.relname as "table", p.polname as name,
         case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end
           as command,
         p.polpermissive as permissive,
         to_jsonb(array(
           select case r when 0 then 'PUBLIC' else pg_get_userbyid(r)::text end from unnest(p.polroles) r order by 1
         )) as roles,
         pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as "withCheck",
         to_jsonb(array(
           select a.role from ${apiRoles} as a (role)
           where exists (select from unnest(p.polroles) r where r = 0 or pg_has_role(a.role::name, r, 'member'))
         )) as "appliesTo"
  from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
  where ${inScope}
  order by 1, 2, 3`;

const functions = `
  select n.nspname as schema,
         format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as signature,
         pg_get_userbyid(p.proowner)::text as owner, p.prosecdef as "isDefiner",
         to_jsonb(coalesce(p.proconfig, '{}')) as settings, md5(p.prosrc || coalesce(pg_get_function_sqlbody(p.oid), '')) as source,
         to_jsonb(array(
           select a.role from ${apiRoles} as a (role) where has_function_privilege(a.role::name, p.oid, 'execute')
         )) as executors
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where ${inScope} and ${byHand('pg_proc', 'p.oid')}
  order by 1, 2`;

const schemas = `
  select n.nspname as schema, to_jsonb(array(
    select a.role from unnest('{anon,authenticated}'::text[]) as a (role) where has_schema_privilege(a.role::name, n.oid, 'create')
  )) as makers
  from pg_namespace n where ${inScope} order by 1`;

const defaults = `
  select n.nspname as schema, pg_get_userbyid(d.defaclrole)::text as owner,
         case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
           when 'n' then 'schemas' else 'other' end as objects,
         ${grants('d.defaclacl')} as grants
  from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace
  where d.defaclnamespace = 0 or ${inScope}
  order by 1 nulls first, 2, 3`;

/** The database has none of the roles that Supabase's API takes on. */
export class NoSupabaseRolesError extends Error {
  override readonly name = 'NoSupabaseRolesError';
}

const rolesRow = z.tuple([z.object({ missing: z.string(), bypasses: z.boolean().nullable() })]);

/** Reads the catalogue; changes nothing. Throws {@link NoSupabaseRolesError}. */
export async function takeSnapshot(database: Database, names: readonly string[]): Promise<SecuritySnapshot> {
  const [{ missing, bypasses }] = rolesRow.parse(
    await database.query(
      `select array_to_string(array(
                select a.role from ${apiRoles} as a (role) where not exists (select from pg_roles where rolname = a.role)
              ), ', ') as missing,
              (select rolbypassrls or rolsuper from pg_roles where rolname = 'service_role') as bypasses`,
    ),
  );
  if (missing !== '') {
    throw new NoSupabaseRolesError(
      `the database at ${database.place} has no role ${missing}, so it is none of Supabase's, or not made ready yet`,
    );
  }
  const scope = JSON.stringify(names);
  const rows = async (query: string) => [...(await database.query(query, query.includes('$1') ? [scope] : []))];
  // One statement after the other: there is one connection.
  return snapshotSchema.parse({
    serverBypasses: bypasses,
    schemas: await rows(schemas),
    tables: await rows(tables),
    sequences: await rows(sequences),
    policies: await rows(policies),
    functions: await rows(functions),
    defaults: await rows(defaults),
  });
}
