import type { Node, RangeVar } from 'libpg-query';
import { notNullColumn } from './facts.ts';
import { nameOfTable, partsOf, qualified } from './names.ts';

interface NotNullCheck {
  readonly table: string;
  readonly column: string;
  isValidated: boolean;
}

/** What the files of one run made before the statement that is looked at. */
export class MadeSoFar {
  /** By this file alone: nobody else can use it yet. */
  readonly #inFile = new Set<string>();
  /** Constraints that this file added without looking at the rows. */
  readonly #notValidInFile = new Set<string>();
  readonly #notNullChecks = new Map<string, NotNullCheck>();

  beginFile(): void {
    this.#inFile.clear();
    this.#notValidInFile.clear();
  }

  /** Whether this file itself made a table, view, function, type, schema or policy. */
  isOwn(kind: 'relation' | 'function' | 'type' | 'schema', name: string): boolean {
    return this.#inFile.has(`${kind} ${name}`);
  }

  isOwnTable = (table: RangeVar): boolean => this.isOwn('relation', nameOfTable(table));

  isOwnColumn(table: RangeVar, column: string): boolean {
    return this.isOwnTable(table) || this.#inFile.has(`column ${nameOfTable(table)}.${column}`);
  }

  addedNotValid(table: RangeVar, constraint: string): boolean {
    return this.#notValidInFile.has(`${nameOfTable(table)}.${constraint}`);
  }

  /** Whether an earlier statement of the run made and validated a check that the column is not null. */
  hasNotNullCheck(table: RangeVar, column: string): boolean {
    const name = nameOfTable(table);
    return [...this.#notNullChecks.values()].some(
      (check) => check.isValidated && check.table === name && check.column === column,
    );
  }

  /** Takes in what a statement makes. With `if not exists` it may have been there before. */
  note(node: Node): void {
    if ('CreateStmt' in node && !node.CreateStmt.if_not_exists) this.#relation(node.CreateStmt.relation);
    else if ('CreateTableAsStmt' in node && !node.CreateTableAsStmt.if_not_exists)
      this.#relation(node.CreateTableAsStmt.into?.rel);
    else if ('ViewStmt' in node && !node.ViewStmt.replace) this.#relation(node.ViewStmt.view);
    else if ('CreateSeqStmt' in node && !node.CreateSeqStmt.if_not_exists) this.#relation(node.CreateSeqStmt.sequence);
    else if ('CreateSchemaStmt' in node && !node.CreateSchemaStmt.if_not_exists)
      this.#inFile.add(`schema ${node.CreateSchemaStmt.schemaname ?? ''}`);
    else if ('CreateFunctionStmt' in node && !node.CreateFunctionStmt.replace)
      this.#inFile.add(`function ${qualified(partsOf(node.CreateFunctionStmt.funcname))}`);
    else if ('CreateEnumStmt' in node) this.#type(node.CreateEnumStmt.typeName);
    else if ('CompositeTypeStmt' in node && node.CompositeTypeStmt.typevar)
      this.#inFile.add(`type ${nameOfTable(node.CompositeTypeStmt.typevar)}`);
    else if ('CreateRangeStmt' in node) this.#type(node.CreateRangeStmt.typeName);
    else if ('CreateDomainStmt' in node) this.#type(node.CreateDomainStmt.domainname);
    else if ('AlterTableStmt' in node && node.AlterTableStmt.relation)
      for (const command of node.AlterTableStmt.cmds ?? []) this.#alteration(node.AlterTableStmt.relation, command);
  }

  #relation(relation: RangeVar | undefined): void {
    if (relation) this.#inFile.add(`relation ${nameOfTable(relation)}`);
  }

  #type(name: readonly Node[] | undefined): void {
    this.#inFile.add(`type ${qualified(partsOf(name))}`);
  }

  #alteration(relation: RangeVar, node: Node): void {
    if (!('AlterTableCmd' in node)) return;
    const { subtype, name = '', def, missing_ok: ifNotExists } = node.AlterTableCmd;
    const table = nameOfTable(relation);
    if (subtype === 'AT_AddColumn' && def && 'ColumnDef' in def && !ifNotExists)
      this.#inFile.add(`column ${table}.${def.ColumnDef.colname ?? ''}`);
    if (subtype === 'AT_ValidateConstraint') {
      const check = this.#notNullChecks.get(`${table}.${name}`);
      if (check) check.isValidated = true;
    }
    if (subtype !== 'AT_AddConstraint' || !def || !('Constraint' in def)) return;
    const { conname = '', contype, raw_expr: check, skip_validation: isNotValid = false } = def.Constraint;
    if (isNotValid) this.#notValidInFile.add(`${table}.${conname}`);
    const column = contype === 'CONSTR_CHECK' && check ? notNullColumn(check) : undefined;
    if (column !== undefined)
      this.#notNullChecks.set(`${table}.${conname}`, { table, column, isValidated: !isNotValid });
  }
}
