import { type Finding, objectName } from './finding.ts';
import type { AuditedTable, SecuritySnapshot } from './snapshot.ts';

export interface TableSettings {
  /** Schemas and tables in which row-level security has to be forced. */
  readonly forced: readonly string[];
}

/** Findings on tables, views and what else holds rows. `storage` is the platform's: it closes its own tables. */
export function tableFindings(snapshot: SecuritySnapshot, settings: TableSettings): Finding[] {
  return snapshot.tables.flatMap((table) => {
    const name = objectName(table.schema, table.name);
    if (table.kind === 'table')
      return [...rowSecurity(table, name, snapshot, settings), ...server(table, name, snapshot)];
    if (table.kind === 'view') return isPlatforms(table) ? [] : viewFindings(table, name);
    if (isPlatforms(table) || table.readers.length === 0) return [];
    const rule = table.kind === 'foreign table' ? 'foreign-table' : 'materialized-view';
    return [
      {
        rule,
        object: name,
        what: `${table.kind} that ${table.readers.join(' and ')} can read`,
        remedy: `revoke all on ${name} from anon, authenticated;`,
      },
    ];
  });
}

/** Made by the platform and not by a migration: nobody else may change it. */
export const isPlatforms = ({ owner }: { readonly owner: string }): boolean => owner.startsWith('supabase_');

function rowSecurity(
  table: AuditedTable,
  name: string,
  snapshot: SecuritySnapshot,
  { forced }: TableSettings,
): Finding[] {
  if (!table.rowSecurity) {
    const what = 'table without row-level security';
    return [{ rule: 'no-rls', object: name, what, remedy: `alter table ${name} enable row level security;` }];
  }
  const found: Finding[] = [];
  const hasToForce = forced.includes(table.schema) || forced.includes(`${table.schema}.${table.name}`);
  if (hasToForce && !table.rowSecurityForced) {
    const what = 'row-level security is not forced';
    found.push({ rule: 'rls-not-forced', object: name, what, remedy: `alter table ${name} force row level security;` });
  }
  const hasPolicy = snapshot.policies.some((policy) => policy.schema === table.schema && policy.table === table.name);
  if (!hasPolicy && table.schema !== 'storage') {
    const remedy = `create policy "<who> <does what>" on ${name} for all to <role> using (<which rows>);`;
    found.push({ rule: 'no-policy', object: name, what: 'row-level security without any policy', remedy });
  }
  return found;
}

function viewFindings({ options }: AuditedTable, name: string): Finding[] {
  if (options.some((option) => /^security_invoker=(true|on|yes|1)$/.test(option))) return [];
  const what = 'view without security_invoker';
  const remedy = `alter view ${name} set (security_invoker = true);`;
  return [{ rule: 'view-of-its-owner', object: name, what, remedy }];
}

const written = ['select', 'insert', 'update', 'delete'] as const;

function server(table: AuditedTable, name: string, { serverBypasses, policies }: SecuritySnapshot): Finding[] {
  if (table.isPartition || (table.schema === 'storage' && table.name !== 'objects')) return [];
  if (!table.serverHasGrants) {
    const what = 'service_role may not select, insert, update and delete';
    return [{ rule: 'server-locked-out', object: name, what, remedy: `grant all on ${name} to service_role;` }];
  }
  if (serverBypasses || !table.rowSecurity) return [];
  const own = policies.filter(
    (policy) =>
      policy.schema === table.schema &&
      policy.table === table.name &&
      policy.permissive &&
      policy.appliesTo.includes('service_role'),
  );
  const missing = written.filter(
    (command) => !own.some((policy) => policy.command === 'all' || policy.command === command),
  );
  if (missing.length === 0) return [];
  const remedy = `create policy "the server sees and writes all" on ${name} for all to service_role using (true) with check (true);`;
  return [
    { rule: 'server-locked-out', object: name, what: `no policy lets service_role ${missing.join(', ')}`, remedy },
  ];
}
