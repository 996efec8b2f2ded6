import type { AlterTableCmd, ColumnDef, Constraint, Node, RangeVar } from 'libpg-query';
import type { DatabaseFacts } from './facts.ts';
import type { MadeSoFar } from './made-so-far.ts';
import { nameOfTable, partsOf, typeText } from './names.ts';
import type { Danger } from './rules.ts';

interface Surroundings {
  readonly made: MadeSoFar;
  readonly facts: DatabaseFacts;
}

/** What the parts of an `alter table` do to whoever uses it, whether it holds rows or not. */
export async function dangersOfAlterTable(
  table: RangeVar,
  commands: readonly Node[],
  surroundings: Surroundings,
): Promise<{ always: Danger[]; withRows: Danger[] }> {
  const always: Danger[] = [];
  const withRows: Danger[] = [];
  for (const node of commands) {
    if (!('AlterTableCmd' in node)) continue;
    always.push(...lasting(table, node.AlterTableCmd, surroundings.made));
    withRows.push(...(await heavy(table, node.AlterTableCmd, surroundings)));
  }
  return { always, withRows };
}

function lasting(table: RangeVar, { subtype, name = '' }: AlterTableCmd, made: MadeSoFar): Danger[] {
  const of = nameOfTable(table);
  if (subtype === 'AT_DropColumn')
    return made.isOwnColumn(table, name) ? [] : [{ rule: 'drop', what: `drop column ${name} of ${of}` }];
  if (subtype === 'AT_DisableRowSecurity')
    return [{ rule: 'disable-rls', what: `disable row level security on ${of}` }];
  if (subtype === 'AT_NoForceRowSecurity')
    return [{ rule: 'disable-rls', what: `no force row level security on ${of}` }];
  return [];
}

const rewrites: Readonly<Partial<Record<NonNullable<AlterTableCmd['subtype']>, string>>> = {
  AT_SetLogged: 'set logged',
  AT_SetUnLogged: 'set unlogged',
  AT_SetAccessMethod: 'set access method',
  AT_SetTableSpace: 'set tablespace',
  AT_SetExpression: 'set expression',
};

async function heavy(table: RangeVar, command: AlterTableCmd, surroundings: Surroundings): Promise<Danger[]> {
  const { subtype, name = '', def } = command;
  const of = nameOfTable(table);
  const { made, facts } = surroundings;
  const rewrite = subtype && rewrites[subtype];
  if (rewrite !== undefined) return [{ rule: 'table-rewrite', what: `${rewrite} of ${of}` }];
  if (subtype === 'AT_AlterColumnType' && def && 'ColumnDef' in def) {
    const isWidened = widensText(def.ColumnDef, await facts.typeOf(table, name));
    return isWidened ? [] : [{ rule: 'table-rewrite', what: `another type for ${of}.${name}` }];
  }
  if (subtype === 'AT_AddIdentity') return [{ rule: 'table-rewrite', what: `add identity to ${of}.${name}` }];
  if (subtype === 'AT_SetNotNull') {
    if (made.hasNotNullCheck(table, name) || (await facts.hasNotNullCheck(table, name))) return [];
    return [{ rule: 'set-not-null', what: `set not null on ${of}.${name}` }];
  }
  if (subtype === 'AT_AddColumn' && def && 'ColumnDef' in def) return addedColumn(of, def.ColumnDef, facts);
  if (subtype === 'AT_AddConstraint' && def && 'Constraint' in def) return addedConstraint(of, def.Constraint);
  if (subtype === 'AT_ValidateConstraint' && made.addedNotValid(table, name)) {
    return [{ rule: 'constraint', what: `validate constraint ${name} in the file that adds it to ${of}` }];
  }
  return [];
}

async function addedColumn(table: string, column: ColumnDef, facts: DatabaseFacts): Promise<Danger[]> {
  const what = `add column ${column.colname ?? ''} to ${table}`;
  const constraints = (column.constraints ?? []).flatMap((node) => ('Constraint' in node ? [node.Constraint] : []));
  const has = (type: Constraint['contype']) => constraints.some(({ contype }) => contype === type);
  const dangers: Danger[] = [];
  const type = partsOf(column.typeName?.names).at(-1) ?? '';
  const isStored = constraints.some(
    ({ contype, generated_kind: kind }) => contype === 'CONSTR_GENERATED' && kind !== 'v',
  );
  if (['serial', 'bigserial', 'smallserial', 'serial2', 'serial4', 'serial8'].includes(type) || has('CONSTR_IDENTITY'))
    dangers.push({ rule: 'table-rewrite', what: `${what}, numbered` });
  if (isStored) dangers.push({ rule: 'table-rewrite', what: `${what}, generated and stored` });
  const value = constraints.find(({ contype }) => contype === 'CONSTR_DEFAULT')?.raw_expr;
  if (value && (await callsVolatile(value, facts)))
    dangers.push({ rule: 'table-rewrite', what: `${what} with a volatile default` });
  const isFilled = value !== undefined || dangers.length > 0;
  if ((has('CONSTR_NOTNULL') || has('CONSTR_PRIMARY')) && !isFilled)
    dangers.push({ rule: 'not-null', what: `${what}, not null and without a default` });
  if (has('CONSTR_FOREIGN')) dangers.push({ rule: 'foreign-key', what: `${what} with a foreign key` });
  if (has('CONSTR_CHECK') || has('CONSTR_UNIQUE') || has('CONSTR_PRIMARY'))
    dangers.push({ rule: 'constraint', what: `${what} with a constraint` });
  return dangers;
}

function addedConstraint(table: string, constraint: Constraint): Danger[] {
  const { contype, conname, skip_validation: isNotValid, indexname } = constraint;
  const what = `add constraint ${conname ?? '(unnamed)'} to ${table}`;
  if (isNotValid) return [];
  if (contype === 'CONSTR_FOREIGN') return [{ rule: 'foreign-key', what: `${what} without not valid` }];
  if (contype === 'CONSTR_NOTNULL') return [{ rule: 'set-not-null', what: `${what} without not valid` }];
  if (contype === 'CONSTR_CHECK') return [{ rule: 'constraint', what: `${what} without not valid` }];
  if (contype === 'CONSTR_EXCLUSION') return [{ rule: 'constraint', what: `${what}, which builds an index` }];
  if ((contype === 'CONSTR_UNIQUE' || contype === 'CONSTR_PRIMARY') && indexname === undefined)
    return [{ rule: 'constraint', what: `${what} without using index` }];
  return [];
}

/** A text that only gets more room is not rewritten. */
function widensText(column: ColumnDef, old: string | undefined): boolean {
  if (!column.typeName || column.raw_default || old === undefined) return false;
  const isUnlimited = [typeText({ names: [{ String: { sval: 'text' } }] }), typeText({ names: varchar })].includes(
    typeText(column.typeName),
  );
  return isUnlimited && (old === 'text' || old.startsWith('character varying'));
}
const varchar: Node[] = [{ String: { sval: 'varchar' } }];

async function callsVolatile(value: unknown, facts: DatabaseFacts): Promise<boolean> {
  for (const name of functionsIn(value)) if (await facts.isVolatile(name)) return true;
  return false;
}

/** Names of the functions that an expression calls, wherever in it. */
function functionsIn(value: unknown): string[][] {
  if (Array.isArray(value)) return value.flatMap(functionsIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => [
    ...(key === 'funcname' && Array.isArray(child) ? [partsOf(child)] : []),
    ...functionsIn(child),
  ]);
}
