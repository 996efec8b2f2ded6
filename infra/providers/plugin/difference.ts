import { isDeepStrictEqual } from 'node:util';
import { formatPath, type PropertyPath } from './property-path.ts';
import { isObject } from './property-values.ts';
import type { PropertyDiff } from './resource.ts';

/**
 * Differences between two sets of inputs, each at the deepest path that tells it apart. An unknown new value is a
 * difference: the update may bring another one.
 */
export function differences(
  olds: object,
  news: object,
  replaceOnChanges: readonly string[] = [],
): readonly PropertyDiff[] {
  const found: PropertyDiff[] = [];
  compare(olds, news, [], (path, kind) => {
    const replace = replaceOnChanges.includes(String(path[0]));
    found.push({ path: formatPath(path), kind, ...(replace ? { replace } : {}) });
  });
  return found;
}

type Report = (path: PropertyPath, kind: PropertyDiff['kind']) => void;

function compare(olds: unknown, news: unknown, path: PropertyPath, report: Report): void {
  if (isDeepStrictEqual(olds, news)) return;
  if (Array.isArray(olds) && Array.isArray(news)) {
    for (let index = 0; index < Math.max(olds.length, news.length); index++)
      compare(olds[index], news[index], [...path, index], report);
  } else if (isObject(olds) && isObject(news)) {
    for (const key of new Set([...Object.keys(olds), ...Object.keys(news)]))
      compare(own(olds, key), own(news, key), [...path, key], report);
  } else if (olds === undefined) {
    report(path, 'add');
  } else {
    report(path, news === undefined ? 'delete' : 'update');
  }
}

const own = (object: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;
