import type { z } from 'zod';
import { containsUnknown } from './property-values.ts';
import type { CheckFailure } from './resource.ts';
import { failuresOf } from './validation.ts';

/** The provider's own configuration: from the stack's config, or from an explicit provider in the program. */
export type ParsedConfig<Config> =
  | { readonly config: Config; readonly failures: readonly [] }
  | { readonly config: undefined; readonly failures: readonly CheckFailure[] };

const enginesOwn = new Set(['version', 'pluginDownloadURL']);

/**
 * Stack config and generated SDKs hand over everything that is not a string as JSON in a string: a property that the
 * schema refuses as a string is tried as JSON. Unknown values are left out; `complete` says whether there were any.
 */
export function parseConfig<Config>(
  schema: z.ZodType<Config>,
  given: Record<string, unknown>,
): ParsedConfig<Config> & { complete: boolean } {
  const relevant = Object.entries(given).filter(([key]) => !enginesOwn.has(key));
  const known = Object.fromEntries(relevant.filter(([, value]) => !containsUnknown(value)));
  const complete = Object.keys(known).length === relevant.length;
  const asGiven = schema.safeParse(known);
  if (asGiven.success) return { config: asGiven.data, failures: [], complete };
  const refused = new Set(asGiven.error.issues.map((issue) => issue.path[0]));
  const second = schema.safeParse(
    Object.fromEntries(Object.entries(known).map(([key, value]) => [key, refused.has(key) ? fromJson(value) : value])),
  );
  if (second.success) return { config: second.data, failures: [], complete };
  const missing = new Set(relevant.map(([key]) => key).filter((key) => !Object.hasOwn(known, key)));
  const failures = failuresOf(second.error).filter(({ property }) => !missing.has(property));
  return { config: undefined, failures, complete };
}

function fromJson(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value; // not JSON: the schema's own complaint about the string says it best
  }
}
