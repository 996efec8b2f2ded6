import type { Node, RangeVar } from 'libpg-query';
import { dangersOfAlterTable } from './alter-table.ts';
import { dangersOfDrop, dangersOfMove, dangersOfRename, dangersOfRenamedValue } from './drop-and-rename.ts';
import type { DatabaseFacts } from './facts.ts';
import type { MadeSoFar } from './made-so-far.ts';
import { nameOfTable, partsOf, qualified } from './names.ts';
import type { Danger } from './rules.ts';

export interface Surroundings {
  readonly made: MadeSoFar;
  readonly facts: DatabaseFacts;
  /** The statements of the same file after this one. */
  readonly later: readonly Node[];
}

/** What is dangerous in one statement. What only rows make dangerous is left out where there are none. */
export async function dangersOf(node: Node, surroundings: Surroundings): Promise<Danger[]> {
  const { made, facts, later } = surroundings;
  const withRows = async (table: RangeVar, dangers: readonly Danger[]): Promise<Danger[]> => {
    if (dangers.length === 0 || made.isOwnTable(table)) return [];
    const rows = await facts.rowsIn(table);
    if (rows === 'none') return [];
    return rows === 'some' ? [...dangers] : dangers.map((danger) => ({ ...danger, ifRowsIn: nameOfTable(table) }));
  };

  if ('AlterTableStmt' in node) {
    const { relation, cmds = [], objtype } = node.AlterTableStmt;
    if (!relation || objtype === 'OBJECT_INDEX' || objtype === 'OBJECT_VIEW') return [];
    const found = await dangersOfAlterTable(relation, cmds, surroundings);
    return [...found.always, ...(await withRows(relation, found.withRows))];
  }
  if ('IndexStmt' in node) {
    const { relation, concurrent, idxname } = node.IndexStmt;
    if (!relation || concurrent) return [];
    const what = `create index ${idxname ?? '(unnamed)'} on ${nameOfTable(relation)} without concurrently`;
    return withRows(relation, [{ rule: 'index', what }]);
  }
  if ('ReindexStmt' in node) {
    const { relation, params = [] } = node.ReindexStmt;
    if (params.some((param) => 'DefElem' in param && param.DefElem.defname === 'concurrently')) return [];
    const danger: Danger = {
      rule: 'index',
      what: `reindex ${relation ? nameOfTable(relation) : ''} without concurrently`,
    };
    return relation ? withRows(relation, [danger]) : [danger];
  }
  if ('ClusterStmt' in node) {
    const { relation } = node.ClusterStmt;
    const danger: Danger = {
      rule: 'table-rewrite',
      what: `cluster ${relation ? nameOfTable(relation) : 'all tables'}`,
    };
    return relation ? withRows(relation, [danger]) : [danger];
  }
  if ('VacuumStmt' in node) {
    const { options = [], rels = [] } = node.VacuumStmt;
    if (!options.some((option) => 'DefElem' in option && option.DefElem.defname === 'full')) return [];
    if (rels.length === 0) return [{ rule: 'table-rewrite', what: 'vacuum full of all tables' }];
    const tables = rels.flatMap((rel) => ('VacuumRelation' in rel ? (rel.VacuumRelation.relation ?? []) : []));
    const found = tables.map((table) =>
      withRows(table, [{ rule: 'table-rewrite', what: `vacuum full ${nameOfTable(table)}` }]),
    );
    return (await Promise.all(found)).flat();
  }
  if ('AlterDomainStmt' in node) {
    const { subtype, typeName, def } = node.AlterDomainStmt;
    const domain = qualified(partsOf(typeName));
    const isNotValid = def && 'Constraint' in def && def.Constraint.skip_validation;
    if ((subtype !== 'C' && subtype !== 'O') || isNotValid || made.isOwn('type', domain)) return [];
    return [{ rule: 'constraint', what: `a constraint of domain ${domain}, checked in every table that uses it` }];
  }
  if ('TruncateStmt' in node) {
    const tables = tablesOf(node.TruncateStmt.relations).filter((table) => !made.isOwnTable(table));
    return tables.map((table) => ({ rule: 'truncate', what: `truncate ${nameOfTable(table)}` }));
  }
  if ('LockStmt' in node) {
    const tables = tablesOf(node.LockStmt.relations).filter((table) => !made.isOwnTable(table));
    return tables.map((table) => ({ rule: 'lock-table', what: `lock table ${nameOfTable(table)}` }));
  }
  if ('DropStmt' in node) return dangersOfDrop(node.DropStmt, made, later);
  if ('DropOwnedStmt' in node) return [{ rule: 'drop', what: 'drop owned' }];
  if ('RenameStmt' in node) return dangersOfRename(node.RenameStmt, made);
  return [...dangersOfMove(node, made), ...dangersOfRenamedValue(node, made)];
}

const tablesOf = (nodes: readonly Node[] = []) => nodes.flatMap((node) => ('RangeVar' in node ? node.RangeVar : []));
