import { isJson, markDocumentBody, markOperand, markPlainBody } from './exact-values.ts';

const notFilters = new Set(['select', 'order', 'limit', 'offset', 'on_conflict', 'columns', 'apikey']);
const filter = /^((?:not\.)?([a-z]+)(?:\((?:any|all)\))?\.)(.*)$/s;
const comparisons = new Set(['eq', 'neq', 'gt', 'gte', 'lt', 'lte']);

/**
 * The same address with every filter's value kept as it is written. lite turns values that look like numbers into
 * numbers ("1e5" becomes 100000, 9007199254740993 loses its last digit) and takes `eq.null` for an SQL null.
 */
export function withExactFilters(url: URL): URL {
  if (url.search === '') return url;
  const marked = new URL(url);
  const isCall = url.pathname.startsWith('/rest/v1/rpc/'); // its parameters are the function's arguments
  for (const [name, value] of url.searchParams) {
    if (notFilters.has(name) || /\.(?:order|limit|offset)$/.test(name)) continue;
    const exact = (each: string) => (isCall && !filter.test(each) ? exactOperand(each) : exactFilter(name, each));
    if (exact(value) === value) continue;
    const all = url.searchParams.getAll(name).map(exact);
    marked.searchParams.delete(name);
    for (const each of all) marked.searchParams.append(name, each);
  }
  return marked;
}

function exactFilter(name: string, value: string): string {
  if (/(?:^|\.)(?:or|and)$/.test(name)) return markPlainBody(value);
  const [, head = '', operator = '', operand = ''] = filter.exec(value) ?? [];
  if (comparisons.has(operator)) return head + exactOperand(operand);
  if (operator === 'in') return head + markItems(operand);
  if (operator === 'cs' || operator === 'cd' || operator === 'ov') {
    return head + (isJson(operand) ? markDocumentBody(operand) : markItems(operand));
  }
  return value;
}

/** Whether lite would take this operand for something other than its text. */
function changes(operand: string): boolean {
  if (operand !== operand.trim()) return true;
  if (operand === '' || /^".*"$/s.test(operand)) return false; // quotes are taken off, here as there
  if (/^(?:null|not_null|unknown|true|false)$/i.test(operand)) return true;
  const number = Number(operand);
  return Number.isFinite(number) && String(number) !== operand;
}

/** `(a,"b,c")` or `{a,b}` with the items that lite would change marked; quoted ones it leaves alone. */
function markItems(list: string): string {
  return list.replace(/"(?:[^"\\]|\\.)*"|[^,(){}"]+/g, (item) =>
    !item.startsWith('"') && changes(item) ? markOperand(item) : item,
  );
}

function exactOperand(operand: string): string {
  if (!/^\s*[{[]/.test(operand)) return changes(operand) ? markOperand(operand) : operand;
  return isJson(operand) ? markDocumentBody(operand) : operand; // else an array of PostgreSQL, such as {a,b}
}
