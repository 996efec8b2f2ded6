import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { readLedger } from '../migrations/ledger.ts';
import { splitStatements } from '../migrations/sql-statements.ts';
import { objectName, policyName } from './finding.ts';

/** What a statement says about policies and row-level security, in the parser's words. */
const relation = z.object({ schemaname: z.string().default('public'), relname: z.string() });
const word = z.object({ String: z.object({ sval: z.string() }) });
const aboutPolicy = z.object({ policy_name: z.string(), table: relation });
const policyNode = z.union([
  z
    .object({ CreatePolicyStmt: aboutPolicy })
    .transform(({ CreatePolicyStmt: at }) => ({ ...at, kind: 'create' as const })),
  z
    .object({ AlterPolicyStmt: aboutPolicy })
    .transform(({ AlterPolicyStmt: at }) => ({ ...at, kind: 'alter' as const })),
]);
const dropNode = z.object({
  DropStmt: z.object({
    removeType: z.literal('OBJECT_POLICY'),
    objects: z.array(z.object({ List: z.object({ items: z.array(word) }) })),
  }),
});
const securityNode = z.object({
  AlterTableStmt: z.object({
    relation,
    cmds: z.array(z.object({ AlterTableCmd: z.object({ subtype: z.string() }) })),
  }),
});
const securityCommands = [
  'AT_EnableRowSecurity',
  'AT_DisableRowSecurity',
  'AT_ForceRowSecurity',
  'AT_NoForceRowSecurity',
];

/**
 * SQL that makes policies and row-level security again as applied migrations stated them, by the names that fingerprints
 * have (`policy "own" on public.notes`, `table public.notes`). What the migrations do not state is left out.
 *
 * @param applied the statements of the migrations, in the order in which they ran
 */
export function restatements(names: ReadonlySet<string>, applied: readonly string[]): Map<string, string[]> {
  const stated = new Map<string, string[]>();
  for (const text of applied) {
    if (!/policy|row\s+level\s+security/i.test(text)) continue;
    for (const { node } of splitStatements(text)) note(stated, node, text);
  }
  const wanted = [...stated].filter(([name, texts]) => names.has(name) && texts.length > 0);
  return new Map(
    wanted.map(([name, texts]) => [
      name,
      name.startsWith('policy ') ? [`drop policy if exists ${name.slice(7)}`, ...texts] : texts,
    ]),
  );
}

function note(stated: Map<string, string[]>, node: unknown, text: string): void {
  const policy = policyNode.safeParse(node).data;
  if (policy) {
    const name = nameOfPolicy(policy.table.schemaname, policy.table.relname, policy.policy_name);
    stated.set(name, policy.kind === 'create' ? [text] : [...(stated.get(name) ?? []), text]);
  }
  for (const { List } of dropNode.safeParse(node).data?.DropStmt.objects ?? []) {
    const [own = '', table = '', schema = 'public'] = List.items.map(({ String: { sval } }) => sval).reverse();
    stated.delete(nameOfPolicy(schema, table, own));
  }
  const security = securityNode.safeParse(node).data?.AlterTableStmt;
  if (security?.cmds.every(({ AlterTableCmd: { subtype } }) => securityCommands.includes(subtype))) {
    const name = `table ${objectName(security.relation.schemaname, security.relation.relname)}`;
    stated.set(name, [...(stated.get(name) ?? []), text]);
  }
}

const nameOfPolicy = (schema: string, table: string, name: string) =>
  `policy ${policyName(name)} on ${objectName(schema, table)}`;

/** Makes what was changed again as the ledger says that migrations made it, all or nothing. Returns what that was. */
export async function restate(database: Database, changed: readonly string[]): Promise<string[]> {
  if (changed.length === 0) return [];
  const { entries } = await readLedger(database);
  const mended = restatements(
    new Set(changed),
    entries.flatMap(({ statements }) => statements ?? []),
  );
  if (mended.size === 0) return [];
  await database.run('begin');
  // Readers of a table wait behind whoever waits for its lock: rather fail than let them.
  await database.run("set local lock_timeout = '10s'");
  for (const statement of [...mended.values()].flat()) await database.run(statement);
  await database.run("notify pgrst, 'reload schema'");
  await database.run('commit');
  return [...mended.keys()];
}
