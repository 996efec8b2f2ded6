import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isObject } from '../plugin/property-values.ts';
import type { DeletesFirst, GivenInputs, NamingContext } from '../plugin/resource.ts';

/**
 * The official plugin notes in each object of a stored input which of its properties the program did not give: names
 * and defaults. It reads the notes to keep a name that it made up, and so does this.
 */
const noteKey = '__defaults';

/** The name in the program's stead: the one stored if it was made up, too, else one from the resource's own name. */
export function withName<Config>(
  given: GivenInputs,
  stored: GivenInputs | undefined,
  context: NamingContext<Config>,
): GivenInputs {
  if (given.name !== undefined) return given;
  if (stored && typeof stored.name === 'string' && wasNoted(stored, 'name')) return { ...given, name: stored.name };
  const { mode, proposedName, randomSeed } = context.naming;
  if (mode === 'disable' || (mode && !proposedName)) return given; // the schema says that the name is missing
  if (mode && proposedName) return { ...given, name: proposedName };
  const own = context.urn.split('::').at(-1) ?? 'resource';
  const suffix = createHash('sha256').update(context.urn).update(randomSeed).digest('hex').slice(0, 7);
  return { ...given, name: `${own}-${suffix}` };
}

/** States without notes (after a refresh by the official plugin) hold names that may be kept. */
function wasNoted(stored: GivenInputs, property: string): boolean {
  const notes = stored[noteKey];
  return Array.isArray(notes) ? notes.includes(property) : true;
}

/** A name that the program gives can't be taken twice: its holder goes before its replacement comes. */
export const namedByProgram: DeletesFirst = (_old, recorded) => {
  const notes = recorded[noteKey];
  return Array.isArray(notes) && !notes.includes('name');
};

/** The validated inputs with the notes, in every object that is one by the schema (a map of texts is none). */
export function withNotes(schema: z.core.$ZodType, values: GivenInputs, given: GivenInputs): GivenInputs {
  const noted = note(schema, values, given);
  return isObject(noted) ? noted : values;
}

function note(schema: z.core.$ZodType, value: unknown, given: unknown): unknown {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodArray && Array.isArray(value))
    return value.map((element, index) => note(inner.element, element, Array.isArray(given) ? given[index] : undefined));
  if (!(inner instanceof z.ZodObject) || !isObject(value)) return value;
  const program = isObject(given) ? given : {};
  const shape: Record<string, z.core.$ZodType> = inner.shape;
  const entries = Object.entries(value).map(([key, entry]) => {
    const property = shape[key];
    return [key, property ? note(property, entry, program[key]) : entry] as const;
  });
  const made = Object.keys(value).filter((key) => program[key] === undefined);
  return { ...Object.fromEntries(entries), [noteKey]: made.sort() };
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return unwrapped(schema.unwrap());
  return schema;
}
