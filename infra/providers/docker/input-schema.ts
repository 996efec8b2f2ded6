import { z } from 'zod';

/** Pieces of the resources' input schemas. */

/** An input that the official plugin has and this stand-in has not: an error, never ignored. */
export const notImplemented = (why = '') =>
  z
    .undefined({
      error: `is not implemented by the kit's stand-in for the docker plugin${why === '' ? '' : ` (${why})`}: leave it out, or install the official plugin`,
    })
    .optional();

export const text = z.string();
export const texts = z.array(z.string());
export const flag = z.boolean();
export const whole = z.int('must be a whole number');
export const count = whole.min(0, 'must not be negative');
export const textMap = z.record(z.string(), z.string());

/** A label is an object in Pulumi's docker package, so that the same key can't be lost between two languages' maps. */
export const label = z.strictObject({ label: z.string(), value: z.string() });
export type Label = z.output<typeof label>;

export const port = whole.min(1, 'must be a port, 1 to 65535').max(65_535, 'must be a port, 1 to 65535');

export function labelMap(labels: readonly Label[] | undefined): Record<string, string> {
  return Object.fromEntries((labels ?? []).map(({ label, value }) => [label, value]));
}

export function labelList(labels: Readonly<Record<string, string>> | null | undefined): Label[] {
  return Object.entries(labels ?? {})
    .map(([label, value]) => ({ label, value }))
    .sort((a, b) => (a.label < b.label ? -1 : 1));
}

/** Paths of the properties that are maps with keys of the program's own: nothing in them has a meaning by its name. */
export function mapPaths(schema: z.core.$ZodType, path: readonly string[] = []): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return mapPaths(schema.unwrap(), path);
  if (schema instanceof z.ZodArray) return mapPaths(schema.element, path);
  if (schema instanceof z.ZodRecord) return [path.join('.')];
  if (!(schema instanceof z.ZodObject)) return [];
  const shape: Record<string, z.core.$ZodType> = schema.shape;
  return Object.entries(shape).flatMap(([key, property]) => mapPaths(property, [...path, key]));
}
