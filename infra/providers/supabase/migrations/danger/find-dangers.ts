import type { Node } from 'libpg-query';
import { formatProblem, type MigrationFile, type MigrationProblem } from '../migration-file.ts';
import type { SqlStatement } from '../sql-statements.ts';
import { allowancesOf } from './allowances.ts';
import { readDoBlock } from './do-block.ts';
import type { DatabaseFacts } from './facts.ts';
import { MadeSoFar } from './made-so-far.ts';
import { type Danger, type DangerRule, type DangerRuleName, dangerRules } from './rules.ts';
import { dangersOf } from './statement.ts';

/** What was found in files that are about to run. */
export interface DangerReport {
  /** What keeps them from being run. */
  readonly refused: readonly MigrationProblem[];
  /** What could not be looked at, each a sentence for the person. */
  readonly unseen: readonly string[];
}

/** The files hold what can stop or break a service that runs: nothing was run. */
export class DangerousMigrationError extends Error {
  override readonly name = 'DangerousMigrationError';
}

/** Looks at the files in the order in which they would run; `facts` tells what the database is like before the first. */
export async function findDangers(files: readonly MigrationFile[], facts: DatabaseFacts): Promise<DangerReport> {
  const made = new MadeSoFar();
  const refused: MigrationProblem[] = [];
  const unseen: string[] = [];
  for (const file of files) {
    made.beginFile();
    const parts = file.statements.flatMap((statement) => readStatement(file, statement, refused, unseen));
    for (const [index, { node, line, allowed }] of parts.entries()) {
      const later = parts.slice(index + 1).map((part) => part.node);
      for (const danger of await dangersOf(node, { made, facts, later })) {
        if (allowed.has(danger.rule) || (file.contract !== undefined && isContract(danger.rule))) continue;
        const problem = { fileName: file.fileName, line, message: explain(danger) };
        if (danger.ifRowsIn === undefined) refused.push(problem);
        else unseen.push(`${formatProblem(problem)} It is refused only if ${danger.ifRowsIn} holds rows.`);
      }
      made.note(node);
    }
  }
  return { refused, unseen };
}

export function refuseDangers({ refused }: DangerReport): void {
  if (refused.length === 0) return;
  throw new DangerousMigrationError(
    `the migrations hold what can stop or break a service that runs; nothing was run:\n${refused
      .map((problem) => `- ${formatProblem(problem)}`)
      .join('\n')}`,
  );
}

interface StatementPart {
  readonly node: Node;
  readonly line: number;
  readonly allowed: ReadonlySet<DangerRuleName>;
}

/** The statement, or what a `do` block holds. */
function readStatement(
  { fileName }: MigrationFile,
  statement: SqlStatement,
  refused: MigrationProblem[],
  unseen: string[],
): StatementPart[] {
  const { node, line } = statement;
  if (!node) return [];
  const { rules: allowed, mistakes, bareText } = allowancesOf(statement);
  refused.push(...mistakes.map((mistake) => ({ fileName, ...mistake })));
  if (!('DoStmt' in node)) return [{ node, line, allowed }];
  const block = readDoBlock(node.DoStmt, bareText, line);
  if (block.unreadable !== undefined)
    unseen.push(`${fileName}:${line}: not looked into: this do block (${block.unreadable}).`);
  for (const at of block.dynamicLines)
    unseen.push(`${fileName}:${at}: not looked into: execute, whose statement is put together when it runs.`);
  return block.statements.map((part) => ({ ...part, allowed }));
}

const isContract = (name: DangerRuleName) => rule(name).contract === true;
const rule = (name: DangerRuleName): DangerRule => dangerRules[name];

function explain({ rule: name, what }: Danger): string {
  const { why, safe } = rule(name);
  const header = isContract(name)
    ? ', or for the whole file in its header, which ends rollbacks to before it: -- contract: <reason>'
    : '';
  return `${what}: ${why}. Instead: ${safe}. Where that does not hold, say why on the line above: -- allow: ${name}: <reason>${header}.`;
}
