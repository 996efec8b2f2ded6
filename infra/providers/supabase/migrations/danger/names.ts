import type { Node, RangeVar, TypeName } from 'libpg-query';

/** `schema.name`, as it stands in error messages and in the record of what a file made. */
export const nameOfTable = ({ schemaname = 'public', relname = '' }: RangeVar): string => `${schemaname}.${relname}`;

/** The parts of a dotted name. */
export const partsOf = (nodes: readonly Node[] = []): string[] =>
  nodes.flatMap((node) => ('String' in node ? [node.String.sval ?? ''] : []));

/** `schema.name` of a list such as `drop` and `create function` have. */
export function qualified(parts: readonly string[]): string {
  return parts.length > 1 ? parts.join('.') : `public.${parts[0] ?? ''}`;
}

/** A table's name for a query, quoted; its schema is left to the search path where the statement leaves it. */
export function quotedTable({ schemaname, relname = '' }: RangeVar): string {
  return [...(schemaname === undefined ? [] : [schemaname]), relname].map(quoted).join('.');
}

const quoted = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`;

/** The type without where it stands in the text: to be compared. */
export const typeText = ({ names, typmods, arrayBounds }: TypeName): string =>
  JSON.stringify([partsOf(names).filter((part) => part !== 'pg_catalog'), typmods?.length ?? 0, arrayBounds?.length]);
