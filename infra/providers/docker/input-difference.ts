import { isDeepStrictEqual } from 'node:util';
import { formatPath, type PropertyPath, valueAt } from '../plugin/property-path.ts';
import { isObject } from '../plugin/property-values.ts';
import type { PropertyDiff } from '../plugin/resource.ts';

/** How inputs of a resource are compared. */
export interface Comparison {
  /** Names of inputs, or paths into them such as `build.context`. */
  readonly replaceOnChanges: readonly string[];
  /** Paths of arrays whose order matters, such as `healthcheck.tests`; all others are sets. */
  readonly ordered: readonly string[];
  /** Paths of maps (see `mapPaths`): an empty value in them is one. */
  readonly maps: readonly string[];
  /** Paths of durations: `60s` is `1m0s`. */
  readonly durations?: readonly string[];
}

/**
 * Differences that mean something to an engine. The official plugin keeps sets in an order of its own, leaves out what
 * is false, zero or empty, and writes durations in Go's way: none of that is a difference. `defaulted` fills in
 * defaults, which older states hold and newer ones do not.
 */
export function inputDifferences(
  olds: object,
  news: object,
  comparison: Comparison,
  defaulted: (inputs: object) => object = (inputs) => inputs,
): readonly PropertyDiff[] {
  const found: PropertyDiff[] = [];
  const report: Report = (path, seen) => {
    // What is false or empty was taken away for the comparison; a person who sees the difference knows it as a value.
    const wasAndIs = valueAt(olds, path) !== undefined && valueAt(news, path) !== undefined;
    const kind = wasAndIs && path.every((part) => typeof part === 'string') ? 'update' : seen;
    const replace = replaces(name(path), comparison.replaceOnChanges);
    found.push({ path: formatPath(path), kind, ...(replace ? { replace } : {}) });
  };
  compare(canonical(defaulted(olds), comparison), canonical(defaulted(news), comparison), [], comparison, report);
  return found;
}

/** True when both mean the same to the engine. `property` is the input's name, for its comparison rules. */
export function sameInput(property: string, a: unknown, b: unknown, comparison: Comparison): boolean {
  return inputDifferences({ [property]: a }, { [property]: b }, comparison).length === 0;
}

/** What is below a listed path replaces, and so does the coming and going of what holds one. */
function replaces(changed: string, listed: readonly string[]): boolean {
  return listed.some((path) => `${changed}.`.startsWith(`${path}.`) || path.startsWith(`${changed}.`));
}

type Report = (path: PropertyPath, kind: PropertyDiff['kind']) => void;

function compare(olds: unknown, news: unknown, path: PropertyPath, rules: Comparison, report: Report): void {
  if (isDeepStrictEqual(olds, news)) return;
  if (Array.isArray(olds) && Array.isArray(news)) {
    if (rules.ordered.includes(name(path))) compareLists(olds, news, path, rules, report);
    else compareSets(olds, news, path, rules, report);
  } else if (isObject(olds) && isObject(news)) {
    for (const key of new Set([...Object.keys(olds), ...Object.keys(news)]))
      compare(own(olds, key), own(news, key), [...path, key], rules, report);
  } else if (olds === undefined) {
    report(path, 'add');
  } else {
    report(path, news === undefined ? 'delete' : 'update');
  }
}

function compareLists(olds: unknown[], news: unknown[], path: PropertyPath, rules: Comparison, report: Report): void {
  for (let index = 0; index < Math.max(olds.length, news.length); index++)
    compare(olds[index], news[index], [...path, index], rules, report);
}

/** What is in both is the same wherever it stands; the rest is compared in the order in which it is left. */
function compareSets(olds: unknown[], news: unknown[], path: PropertyPath, rules: Comparison, report: Report): void {
  const gone = [...olds.entries()];
  const come: [number, unknown][] = [];
  for (const entry of news.entries()) {
    const match = gone.findIndex(([, old]) => isDeepStrictEqual(old, entry[1]));
    if (match >= 0) gone.splice(match, 1);
    else come.push(entry);
  }
  for (const [order, [index, value]] of come.entries()) {
    const old = gone[order];
    compare(old?.[1], value, [...path, index], rules, report);
  }
  for (const [index] of gone.slice(come.length)) report([...path, index], 'delete');
}

function canonical(inputs: object, rules: Comparison): unknown {
  const visit = (value: unknown, path: PropertyPath): unknown => {
    if (Array.isArray(value)) return value.map((element) => visit(element, path));
    if (isObject(value)) {
      const entries = Object.entries(value).map(([key, entry]) => [key, visit(entry, [...path, key])] as const);
      const isMap = rules.maps.includes(name(path));
      return Object.fromEntries(isMap ? entries : entries.filter(([, entry]) => !isEmpty(entry)));
    }
    if (typeof value === 'string' && rules.durations?.includes(name(path))) return parseDuration(value) ?? value;
    return value;
  };
  return visit(inputs, []);
}

const name = (path: PropertyPath): string => path.filter((part) => typeof part === 'string').join('.');

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

const own = (object: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;

const nanoseconds = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
]);

/** Go's durations (`1m30s`, `500ms`) in nanoseconds; `undefined` when it is none. */
export function parseDuration(duration: string): number | undefined {
  if (duration === '0') return 0;
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(duration)) return undefined;
  const parts = duration.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g);
  return [...parts].reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (nanoseconds.get(unit) ?? 0), 0);
}

/** As Go writes a duration: `1m30s`, `1.5s`, `500ms`, `0s`. */
export function formatDuration(duration: number): string {
  if (duration === 0) return '0s';
  if (duration < 1e9) {
    const [unit, size] =
      duration >= 1e6 ? (['ms', 1e6] as const) : duration >= 1e3 ? (['µs', 1e3] as const) : (['ns', 1] as const);
    return `${duration / size}${unit}`;
  }
  const [hours, minutes] = [Math.floor(duration / 3600e9), Math.floor(duration / 60e9) % 60];
  const seconds = `${(duration % 60e9) / 1e9}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
