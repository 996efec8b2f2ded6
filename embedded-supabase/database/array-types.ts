import { z } from 'zod';
import { arrayLiteral, parseArray } from './arrays.ts';

/** Every array type of the database, those of its own enums and tables among them. */
export const arrayTypes = `
  select a.oid::int as oid, a.typelem::int as element, e.typdelim as delimiter
  from pg_catalog.pg_type a join pg_catalog.pg_type e on e.oid = a.typelem
  where a.typcategory = 'A' and a.typelem <> 0`;

const row = z.object({ oid: z.number(), element: z.number(), delimiter: z.string().length(1) });

/** How the driver reads and writes values, by the oid of their type. */
interface Codecs {
  readonly parsers: Record<number, (text: string) => unknown>;
  readonly serializers: Record<number, (value: unknown) => unknown>;
}

/** Teaches a session the array types, from the rows of `arrayTypes`. (The driver's own reading of arrays loses nulls.) */
export function learnArrayTypes({ parsers, serializers }: Codecs, rows: readonly unknown[]): void {
  for (const { oid, element, delimiter } of rows.map((each) => row.parse(each))) {
    const parse = parsers[element] ?? ((text) => text);
    const serialize = serializers[element] ?? String;
    parsers[oid] = (text) => parseArray(text, parse, delimiter);
    serializers[oid] = (value) => arrayLiteral(value, (item) => String(serialize(item)), delimiter);
  }
}
