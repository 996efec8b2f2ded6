import type { A_Expr, Node, SelectStmt, SubLink } from 'libpg-query';
import { parseSync } from '../sql-parser.ts';

/**
 * What a policy's expression comes to, for whom and for which row, without a database: the expression is parsed by
 * PostgreSQL's parser and evaluated with its three truth values. What it asks of other columns, settings and functions is
 * not known, so every combination of answers is tried.
 */
export interface Scene {
  /** The caller's id, as `auth.uid()` returns it. */
  readonly callerId: 'own' | 'null';
  readonly callerRole: 'anon' | 'authenticated';
  /** What the columns hold that say whose row it is. */
  readonly owner: 'null' | 'somebody else';
}

/** An expression asks too many things for every combination to be tried. */
export class PolicyTooComplexError extends Error {
  override readonly name = 'PolicyTooComplexError';
}

type Truth = boolean | null;
type Value =
  | { readonly kind: 'null' | 'own id' | 'other id' }
  | { readonly kind: 'truth'; readonly is: boolean }
  | { readonly kind: 'text' | 'unknown'; readonly key: string };

const maxUnknowns = 12;
const nothing: Value = { kind: 'null' };
const truth = (is: Truth): Value => (is === null ? nothing : { kind: 'truth', is });

export class PolicyExpression {
  readonly #node: Node;
  readonly #owners: ReadonlySet<string>;

  /** `ownerColumns`: columns that say whose row it is, beside those that the expression compares with the caller's id. */
  constructor(text: string, ownerColumns: readonly string[]) {
    this.#node = parseExpression(text);
    this.#owners = new Set([...ownersIn(this.#node), ...columnsNamed(this.#node, new Set(ownerColumns))]);
  }

  /** Whether it can be true in the scene, whatever the answers are. */
  canHold(scene: Scene): boolean {
    return this.#outcomes([scene]).some(([is]) => is === true);
  }

  /** Whether it is true in the scene, whatever the answers are. */
  alwaysHolds(scene: Scene): boolean {
    return this.#outcomes([scene]).every(([is]) => is === true);
  }

  /** Whether, with the same answers, it can be true in one scene and not in the other. */
  canHoldOnlyIn(scene: Scene, other: Scene): boolean {
    return this.#outcomes([scene, other]).some(([is, isInOther]) => is === true && isInOther !== true);
  }

  /** The truth in each scene, for every combination of answers. */
  #outcomes(scenes: readonly Scene[]): Truth[][] {
    const unknowns: string[] = [];
    const outcomes: Truth[][] = [];
    for (let combination = 0; combination < 2 ** unknowns.length || combination === 0; combination++) {
      const answer = (key: string): boolean => {
        let index = unknowns.indexOf(key);
        if (index < 0) {
          index = unknowns.push(key) - 1;
          if (unknowns.length > maxUnknowns) throw new PolicyTooComplexError('asks too many things to be judged');
        }
        return Math.floor(combination / 2 ** index) % 2 === 0;
      };
      outcomes.push(scenes.map((scene) => new Evaluation(scene, this.#owners, answer).truthOf(this.#node)));
    }
    return outcomes;
  }
}

/** One evaluation, for one scene and one set of answers. */
class Evaluation {
  readonly #scene: Scene;
  readonly #owners: ReadonlySet<string>;
  readonly #answer: (key: string) => boolean;

  constructor(scene: Scene, owners: ReadonlySet<string>, answer: (key: string) => boolean) {
    this.#scene = scene;
    this.#owners = owners;
    this.#answer = answer;
  }

  truthOf(node: Node): Truth {
    const value = this.#valueOf(node);
    if (value.kind === 'null') return null;
    if (value.kind === 'truth') return value.is;
    return value.kind === 'unknown' ? this.#answer(value.key) : true;
  }

  #valueOf(node: Node): Value {
    const key = keyOf(node);
    if (this.#owners.has(key)) return this.#scene.owner === 'null' ? nothing : { kind: 'other id' };
    if (isCallerId(node)) return this.#scene.callerId === 'null' ? nothing : { kind: 'own id' };
    if (isCallerRole(node)) return { kind: 'text', key: this.#scene.callerRole };
    if ('TypeCast' in node && node.TypeCast.arg) return this.#valueOf(node.TypeCast.arg);
    if ('A_Const' in node) {
      if (node.A_Const.isnull) return nothing;
      if (node.A_Const.boolval) return truth(node.A_Const.boolval.boolval ?? false);
      return { kind: 'text', key: node.A_Const.sval?.sval ?? key };
    }
    if ('BoolExpr' in node) {
      const { boolop, args = [] } = node.BoolExpr;
      if (boolop === 'NOT_EXPR') return truth(not(args[0] ? this.truthOf(args[0]) : null));
      // Every part is evaluated, so that every question is known after the first combination.
      const parts = args.map((arg) => this.truthOf(arg));
      return truth(boolop === 'AND_EXPR' ? all(parts) : not(all(parts.map(not))));
    }
    if ('NullTest' in node && node.NullTest.arg) {
      const value = this.#valueOf(node.NullTest.arg);
      const isNull = value.kind === 'unknown' ? this.#answer(`${value.key} is null`) : value.kind === 'null';
      return truth(node.NullTest.nulltesttype === 'IS_NULL' ? isNull : !isNull);
    }
    if ('BooleanTest' in node && node.BooleanTest.arg) {
      const is = this.truthOf(node.BooleanTest.arg);
      const tests = { TRUE: is === true, FALSE: is === false, UNKNOWN: is === null };
      const [, negated, kind] = /^IS_(NOT_)?(TRUE|FALSE|UNKNOWN)$/.exec(node.BooleanTest.booltesttype ?? '') ?? [];
      const test = kind === 'TRUE' || kind === 'FALSE' ? tests[kind] : tests.UNKNOWN;
      return truth(negated === undefined ? test : !test);
    }
    if ('CoalesceExpr' in node) {
      const values = (node.CoalesceExpr.args ?? []).map((arg) => this.#valueOf(arg));
      return values.find(({ kind }) => kind !== 'null') ?? nothing;
    }
    if ('CaseExpr' in node && !node.CaseExpr.arg) {
      for (const arm of node.CaseExpr.args ?? []) {
        if (!('CaseWhen' in arm) || !arm.CaseWhen.expr || !arm.CaseWhen.result) continue;
        if (this.truthOf(arm.CaseWhen.expr) === true) return this.#valueOf(arm.CaseWhen.result);
      }
      return node.CaseExpr.defresult ? this.#valueOf(node.CaseExpr.defresult) : nothing;
    }
    if ('SubLink' in node) return this.#subquery(node.SubLink, key);
    if ('A_Expr' in node) return this.#operation(node.A_Expr, key);
    return { kind: 'unknown', key };
  }

  /** A row that the condition of the subquery takes is supposed to be there. */
  #subquery({ subLinkType, subselect, testexpr }: SubLink, key: string): Value {
    const select = subselect && 'SelectStmt' in subselect ? subselect.SelectStmt : undefined;
    if (select?.op !== 'SETOP_NONE') return { kind: 'unknown', key };
    const taken = select.whereClause ? this.truthOf(select.whereClause) : true;
    const target = targetOf(select);
    const hasRows = select.fromClause === undefined || this.#answer(`rows ${key}`);
    if (subLinkType === 'EXISTS_SUBLINK') return truth(taken === true && hasRows);
    if (subLinkType === 'EXPR_SUBLINK' && target) {
      if (taken !== true || !hasRows) return nothing;
      return this.#valueOf(target);
    }
    if (subLinkType === 'ANY_SUBLINK' && testexpr && target) {
      const isSame = equal(this.#valueOf(testexpr), this.#valueOf(target), this.#answer);
      return truth(taken === true && hasRows ? isSame : false);
    }
    return { kind: 'unknown', key };
  }

  #operation({ kind, name = [], lexpr, rexpr }: A_Expr, key: string): Value {
    if (!lexpr || !rexpr) return { kind: 'unknown', key };
    const left = this.#valueOf(lexpr);
    if (kind === 'AEXPR_IN' || kind === 'AEXPR_OP_ANY') {
      const items = listOf(rexpr);
      if (!items || operator(name) !== '=') return left.kind === 'null' ? nothing : { kind: 'unknown', key };
      const isOneOf = items.map((item) => equal(left, this.#valueOf(item), this.#answer));
      return truth(not(all(isOneOf.map(not))));
    }
    const right = this.#valueOf(rexpr);
    if (kind === 'AEXPR_DISTINCT' || kind === 'AEXPR_NOT_DISTINCT') {
      const isEither = left.kind === 'null' || right.kind === 'null';
      const isSame = isEither ? left.kind === right.kind : equal(left, right, this.#answer) === true;
      return truth(kind === 'AEXPR_NOT_DISTINCT' ? isSame : !isSame);
    }
    // Operators of PostgreSQL are strict, as good as all of them.
    if (left.kind === 'null' || right.kind === 'null') return nothing;
    if (kind === 'AEXPR_OP' && operator(name) === '=') return truth(equal(left, right, this.#answer));
    if (kind === 'AEXPR_OP' && operator(name) === '<>') return truth(not(equal(left, right, this.#answer)));
    return { kind: 'unknown', key };
  }
}

function equal(a: Value, b: Value, answer: (key: string) => boolean): Truth {
  if (a.kind === 'null' || b.kind === 'null') return null;
  if (a.kind === 'truth' && b.kind === 'truth') return a.is === b.is;
  if (a.kind === 'text' && b.kind === 'text') return a.key === b.key;
  const ids = [a, b].filter(({ kind }) => kind === 'own id' || kind === 'other id');
  if (ids.length === 2) return a.kind === 'own id' && b.kind === 'own id';
  return answer(`${JSON.stringify([a, b])} are equal`);
}

const not = (is: Truth): Truth => (is === null ? null : !is);
const all = (parts: readonly Truth[]): Truth => (parts.includes(false) ? false : parts.includes(null) ? null : true);

function parseExpression(text: string): Node {
  const [statement] = parseSync(`select ${text}`).stmts ?? [];
  const select = statement?.stmt && 'SelectStmt' in statement.stmt ? statement.stmt.SelectStmt : undefined;
  const target = select && targetOf(select);
  if (!target) throw new Error(`no expression: ${text}`);
  return target;
}

function targetOf({ targetList = [] }: SelectStmt): Node | undefined {
  const [target] = targetList;
  return target && 'ResTarget' in target ? target.ResTarget.val : undefined;
}

const operator = (name: readonly Node[]) => name.flatMap((part) => ('String' in part ? [part.String.sval] : [])).at(-1);

/** An expression without casts around it, and where it stands: equal texts are the same expression. */
function keyOf(node: Node): string {
  if ('TypeCast' in node && node.TypeCast.arg) return keyOf(node.TypeCast.arg);
  return JSON.stringify(node, (name, value: unknown) => (name === 'location' ? undefined : value));
}

function listOf(node: Node): readonly Node[] | undefined {
  if ('TypeCast' in node && node.TypeCast.arg) return listOf(node.TypeCast.arg);
  if ('List' in node) return node.List.items ?? [];
  if ('A_ArrayExpr' in node) return node.A_ArrayExpr.elements ?? [];
  return undefined;
}

/** The expression itself where casts and `(select …)` without a table are around it. */
function core(node: Node): Node {
  if ('TypeCast' in node && node.TypeCast.arg) return core(node.TypeCast.arg);
  if (!('SubLink' in node) || node.SubLink.subLinkType !== 'EXPR_SUBLINK') return node;
  const { subselect } = node.SubLink;
  const select = subselect && 'SelectStmt' in subselect ? subselect.SelectStmt : undefined;
  const target = select && !select.fromClause && !select.whereClause ? targetOf(select) : undefined;
  return target ? core(target) : node;
}

function calls(node: Node, ...names: readonly string[]): boolean {
  if (!('FuncCall' in node)) return false;
  return names.includes(
    (node.FuncCall.funcname ?? []).flatMap((part) => ('String' in part ? [part.String.sval] : [])).join('.'),
  );
}

/** A claim of the caller's token: `auth.jwt() ->> '…'`, or of the setting that it comes from. */
function isClaim(node: Node, claim: string): boolean {
  if (!('A_Expr' in node) || operator(node.A_Expr.name ?? []) !== '->>') return false;
  const { lexpr, rexpr } = node.A_Expr;
  const key = rexpr && core(rexpr);
  const isNamed = key && 'A_Const' in key && key.A_Const.sval?.sval === claim;
  const token = lexpr && core(lexpr);
  return isNamed === true && token !== undefined && calls(token, 'auth.jwt', 'current_setting');
}

const isCallerId = (node: Node) => calls(core(node), 'auth.uid') || isClaim(core(node), 'sub');
const isCallerRole = (node: Node) => calls(core(node), 'auth.role') || isClaim(core(node), 'role');

/** Calls `visit` for an expression and everything in it. */
function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) for (const item of value) walk(item, visit);
  else if (typeof value === 'object' && value !== null) {
    if (isVisited(value)) visit(value);
    for (const child of Object.values(value)) walk(child, visit);
  }
}

const isVisited = (value: object): value is Node => 'A_Expr' in value || 'ColumnRef' in value || 'SubLink' in value;

/** What an expression compares with the caller's id: that says whose row it is. */
function ownersIn(expression: Node): string[] {
  const owners: string[] = [];
  const take = (node: Node) => {
    const inner = core(node);
    if ('A_Const' in inner || isCallerId(inner)) return;
    if ('CoalesceExpr' in inner || 'CaseExpr' in inner) owners.push(...columnsIn(inner));
    else if ('A_ArrayExpr' in inner || 'List' in inner) for (const item of listOf(inner) ?? []) take(item);
    else owners.push(keyOf(inner));
  };
  walk(expression, (node) => {
    if ('A_Expr' in node) {
      const { lexpr, rexpr } = node.A_Expr;
      if (!lexpr || !rexpr) return;
      if (mentionsCallerId(lexpr)) take(rexpr);
      if (mentionsCallerId(rexpr)) take(lexpr);
    }
    if ('SubLink' in node && node.SubLink.testexpr && isCallerId(node.SubLink.testexpr)) {
      const { subselect } = node.SubLink;
      const target = subselect && 'SelectStmt' in subselect ? targetOf(subselect.SelectStmt) : undefined;
      if (target) take(target);
    }
  });
  return owners;
}

/** The caller's id, or what stands for it where it is missing. */
function mentionsCallerId(node: Node): boolean {
  const inner = core(node);
  if (isCallerId(inner)) return true;
  if ('CoalesceExpr' in inner) return (inner.CoalesceExpr.args ?? []).some(mentionsCallerId);
  return (listOf(inner) ?? []).some(mentionsCallerId);
}

function columnsIn(expression: Node): string[] {
  const found: string[] = [];
  walk(expression, (node) => {
    if ('ColumnRef' in node) found.push(keyOf(node));
  });
  return found;
}

function columnsNamed(expression: Node, names: ReadonlySet<string>): string[] {
  const found: string[] = [];
  walk(expression, (node) => {
    if (!('ColumnRef' in node)) return;
    const last = node.ColumnRef.fields?.at(-1);
    if (last && 'String' in last && names.has(last.String.sval ?? '')) found.push(keyOf(node));
  });
  return found;
}
