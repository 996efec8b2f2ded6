import { scanSync } from '../../sql-parser.ts';
import type { SqlStatement } from '../sql-statements.ts';
import { type DangerRuleName, dangerRules, isDangerRule } from './rules.ts';

/** What the comments above a statement allow it. */
export interface Allowances {
  readonly rules: ReadonlySet<DangerRuleName>;
  /** Allowances that can't be accepted, with their lines. */
  readonly mistakes: readonly { readonly line: number; readonly message: string }[];
  /** The statement without the comments above it. */
  readonly bareText: string;
}

const form = '-- allow: <rule>: <reason>';

/** Reads the lines `-- allow: <rule>: <reason>` between a statement and the one before it. */
export function allowancesOf({ text, textLine }: SqlStatement): Allowances {
  const bytes = Buffer.from(text);
  const rules = new Set<DangerRuleName>();
  const mistakes: { line: number; message: string }[] = [];
  for (const { start, end, tokenName } of scanSync(text).tokens) {
    if (tokenName !== 'SQL_COMMENT' && tokenName !== 'C_COMMENT') {
      return { rules, mistakes, bareText: bytes.subarray(start).toString() };
    }
    const words = bytes.subarray(start, end).toString();
    const [, rule, reason] = /^--\s*allow:\s*([^:]*?)\s*(?::\s*(.*?)\s*)?$/.exec(words) ?? [];
    if (rule === undefined) continue;
    const line = textLine + bytes.subarray(0, start).toString().split('\n').length - 1;
    if (!isDangerRule(rule)) {
      const message = `"allow: ${rule}" names no rule: there are ${Object.keys(dangerRules).join(', ')} (${form})`;
      mistakes.push({ line, message });
    } else if (!reason) mistakes.push({ line, message: `"allow: ${rule}" gives no reason: ${form}` });
    else rules.add(rule);
  }
  return { rules, mistakes, bareText: '' };
}
