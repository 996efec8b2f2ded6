import { z } from 'zod';

/** A type in a Pulumi package schema, as far as this provider needs it. */
export type TypeSpec =
  | { type: 'string' | 'boolean' | 'integer' | 'number' }
  | { type: 'array'; items: TypeSpec }
  | { type: 'object'; additionalProperties: TypeSpec }
  | { oneOf: TypeSpec[] };

export type PropertySpec = TypeSpec & {
  description?: string | undefined;
  default?: string | number | boolean | undefined;
  secret?: true | undefined;
  willReplaceOnChanges?: true | undefined;
};

export interface ObjectSpec {
  readonly properties: Record<string, PropertySpec>;
  /** Names of the properties that are always there. */
  readonly required: string[];
}

const simpleType = z.enum(['string', 'boolean', 'integer', 'number']);
const jsonType = z.union([
  z.object({ type: simpleType }),
  z.object({ type: z.array(simpleType) }),
  z.object({ type: z.literal('array'), items: z.unknown() }),
  z.object({ type: z.literal('object'), additionalProperties: z.unknown() }),
]);
const jsonProperty = z.object({
  description: z.string().optional(),
  default: z.union([z.string(), z.number(), z.boolean()]).optional().catch(undefined), // an object can't be a default
  secret: z.literal(true).optional(),
  computed: z.literal(true).optional(),
});
const jsonObject = z.object({
  properties: z.record(z.string(), z.unknown()),
  required: z.array(z.string()).default([]),
});

/**
 * The properties of a zod object as Pulumi writes them; inputs that no program sets are left out. Throws when a schema
 * has no counterpart in Pulumi.
 */
export function objectSpec(
  schema: z.ZodObject,
  io: 'input' | 'output',
  replaceOnChanges: readonly string[],
): ObjectSpec {
  const { properties, required } = jsonObject.parse(z.toJSONSchema(schema, { io }));
  const specs = Object.entries(properties).flatMap(([name, json]): [string, PropertySpec][] => {
    const { computed, ...annotations } = jsonProperty.parse(json);
    if (computed && io === 'input') return [];
    const replaces = io === 'input' && replaceOnChanges.includes(name);
    const spec = { ...typeSpec(json), ...(io === 'output' ? withoutDefault(annotations) : annotations) };
    return [[name, replaces ? { ...spec, willReplaceOnChanges: true } : spec]];
  });
  return { properties: Object.fromEntries(specs), required: required.toSorted() };
}

const withoutDefault = ({ default: _, ...others }: z.output<typeof jsonProperty>) => others;

function typeSpec(json: unknown): TypeSpec {
  const parsed = jsonType.parse(json);
  if (Array.isArray(parsed.type)) return { oneOf: parsed.type.map((type) => ({ type })) };
  if ('items' in parsed) return { type: parsed.type, items: typeSpec(parsed.items) };
  if ('additionalProperties' in parsed) {
    return { type: parsed.type, additionalProperties: typeSpec(parsed.additionalProperties) };
  }
  return { type: parsed.type };
}
