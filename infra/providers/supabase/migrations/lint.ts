import type { Node } from 'libpg-query';
import type { MigrationFile, MigrationProblem } from './migration-file.ts';

/**
 * What is wrong with one statement, in words that say how to go on; undefined when nothing is. Rules see what
 * PostgreSQL's parser understood, before anything runs and without a database.
 */
export type StatementRule = (node: Node, file: MigrationFile) => string | undefined;

const rules: readonly StatementRule[] = [keepsItsTransaction, runsInsideTransaction, namesItsIndex, bringsItsData];

/** Every problem of a file, each with its line. */
export function lint(file: MigrationFile): MigrationProblem[] {
  const { fileName } = file;
  const problems = file.statements.flatMap(({ node, line }) =>
    node ? rules.flatMap((rule) => rule(node, file) ?? []).map((message) => ({ fileName, line, message })) : [],
  );
  const [, second] = file.statements.filter(({ node }) => node);
  if (!file.inTransaction && second) {
    const message =
      'is the second statement of a file that runs outside a transaction, which could be left half done: ' +
      'such a file has one statement; put the others into files of their own';
    problems.push({ fileName, line: second.line, message });
  }
  return problems;
}

function keepsItsTransaction(node: Node): string | undefined {
  if (!('TransactionStmt' in node)) return undefined;
  const { kind } = node.TransactionStmt;
  if (kind === 'TRANS_STMT_SAVEPOINT' || kind === 'TRANS_STMT_RELEASE' || kind === 'TRANS_STMT_ROLLBACK_TO') {
    return undefined;
  }
  return 'a file is one transaction by itself, together with its row in the ledger: remove begin, commit and rollback';
}

function runsInsideTransaction(node: Node, file: MigrationFile): string | undefined {
  if (!file.inTransaction) return undefined;
  const command = refusedInTransaction(node);
  if (command === undefined) return undefined;
  return (
    `${command} can't run inside a transaction: ` +
    'put it into a file of its own that begins with the line "-- migrate: no-transaction"'
  );
}

/** Name of the command, if PostgreSQL refuses it in a transaction. */
function refusedInTransaction(node: Node): string | undefined {
  if ('IndexStmt' in node && node.IndexStmt.concurrent) return 'create index concurrently';
  if ('DropStmt' in node && node.DropStmt.concurrent) return 'drop index concurrently';
  if ('ReindexStmt' in node) {
    const { kind, params = [] } = node.ReindexStmt;
    const concurrently = params.some((param) => 'DefElem' in param && param.DefElem.defname === 'concurrently');
    if (concurrently) return 'reindex concurrently';
    return kind === 'REINDEX_OBJECT_INDEX' || kind === 'REINDEX_OBJECT_TABLE'
      ? undefined
      : 'reindex of more than a table';
  }
  if ('AlterTableStmt' in node) {
    const detaches = (node.AlterTableStmt.cmds ?? []).some((command) => {
      const definition = 'AlterTableCmd' in command ? command.AlterTableCmd.def : undefined;
      return definition !== undefined && 'PartitionCmd' in definition && definition.PartitionCmd.concurrent === true;
    });
    return detaches ? 'detach partition concurrently' : undefined;
  }
  if ('VacuumStmt' in node && node.VacuumStmt.is_vacuumcmd) return 'vacuum';
  if ('ClusterStmt' in node && !node.ClusterStmt.relation) return 'cluster of all tables';
  if ('CreatedbStmt' in node) return 'create database';
  if ('DropdbStmt' in node) return 'drop database';
  if ('AlterSystemStmt' in node) return 'alter system';
  if ('CreateTableSpaceStmt' in node) return 'create tablespace';
  if ('DropTableSpaceStmt' in node) return 'drop tablespace';
  return undefined;
}

function namesItsIndex(node: Node): string | undefined {
  if (!('IndexStmt' in node) || !node.IndexStmt.concurrent || node.IndexStmt.idxname !== undefined) return undefined;
  return 'create index concurrently needs a name here, so that what a failed run leaves can be found';
}

function bringsItsData(node: Node): string | undefined {
  if (!('CopyStmt' in node) || node.CopyStmt.filename !== undefined || node.CopyStmt.is_program) return undefined;
  return 'copy from stdin and to stdout are for psql, there is no such stream here: write the rows as insert';
}
