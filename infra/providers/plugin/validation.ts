import { z } from 'zod';
import { formatPath, type PropertyPath } from './property-path.ts';
import { containsUnknown, isObject, isUnknown } from './property-values.ts';
import type { CheckFailure } from './resource.ts';

export interface Validated {
  /** With defaults filled in; unknown values are where they were. */
  readonly values: Record<string, unknown>;
  readonly failures: readonly CheckFailure[];
}

/**
 * Parses inputs with the definition's schema. Unknown values are stepped around: what is beside and below them is
 * parsed piece by piece, as far as the schema is made of objects, arrays and records; refinements of a whole object wait
 * until all of it is known.
 */
export function validate(schema: z.ZodType<object>, given: Record<string, unknown>): Validated {
  const failures: CheckFailure[] = [];
  const values = parse(schema, given, [], failures);
  return { values: isObject(values) ? values : given, failures };
}

function parse(schema: z.core.$ZodType, value: unknown, path: PropertyPath, failures: CheckFailure[]): unknown {
  if (isUnknown(value)) return value;
  if (!containsUnknown(value)) {
    const parsed = z.safeParse(schema, value);
    if (parsed.success) return parsed.data;
    failures.push(...failuresOf(parsed.error, path));
    return value;
  }
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodObject && isObject(value)) return parseObject(inner, value, path, failures);
  if (inner instanceof z.ZodArray && Array.isArray(value))
    return value.map((element, index) => parse(inner.element, element, [...path, index], failures));
  if (inner instanceof z.ZodRecord && isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, parse(inner.valueType, entry, [...path, key], failures)]),
    );
  return value;
}

function parseObject(
  schema: z.ZodObject,
  object: Record<string, unknown>,
  path: PropertyPath,
  failures: CheckFailure[],
): Record<string, unknown> {
  const shape = schema.shape;
  for (const key of Object.keys(object).filter((key) => !Object.hasOwn(shape, key)))
    failures.push({ property: formatPath([...path, key]), reason: unrecognised });
  const parsed = Object.entries(shape).map(([key, property]) => {
    const value = Object.hasOwn(object, key) ? object[key] : undefined;
    return [key, parse(property, value, [...path, key], failures)] as const;
  });
  return Object.fromEntries(parsed.filter(([, value]) => value !== undefined));
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return unwrapped(schema.unwrap());
  return schema;
}

const unrecognised = 'there is no such property';

/** One failure per mistake: a mistake in several unknown keys is several. */
export function failuresOf(error: z.core.$ZodError, below: PropertyPath = []): CheckFailure[] {
  return error.issues.flatMap((issue) => {
    const path = [...below, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ property: formatPath([...path, key]), reason: unrecognised }));
    return [{ property: formatPath(path), reason: issue.message }];
  });
}
