import { expect, test } from 'vitest';
import { z } from 'zod';
import { packageSchema } from '../../../infra/providers/supabase/schema/package-schema.ts';
import { objectSpec } from '../../../infra/providers/supabase/schema/property-spec.ts';

const schema = packageSchema();

test('everything that a person reads is described', () => {
  for (const [token, { description, inputProperties, properties }] of Object.entries(schema.resources)) {
    expect(description, token).toContain('```typescript');
    for (const [name, property] of Object.entries({ ...inputProperties, ...properties })) {
      expect(property.description, `${token}.${name}`).toBeTruthy();
    }
  }
  for (const [name, property] of Object.entries(schema.config.variables))
    expect(property.description, name).toBeTruthy();
});

test('what holds a password is secret in the schema, so that the SDK has it encrypted', () => {
  const secret = (properties: Record<string, { secret?: true | undefined }>) =>
    Object.entries(properties).flatMap(([name, property]) => (property.secret ? [name] : []));
  expect(secret(schema.provider.inputProperties)).toEqual(['secretKey', 'databaseUrl', 'accessToken']);
  expect(secret(schema.resources['supabase:index:Project']?.inputProperties ?? {})).toEqual(['databasePassword']);
  expect(secret(schema.resources['supabase:index:Project']?.properties ?? {})).toEqual([
    'databaseUrl',
    'publishableKey',
    'secretKey',
    'jwtSecret',
  ]);
  expect(secret(schema.resources['supabase:index:ProjectSettings']?.inputProperties ?? {})).toEqual([
    'googleClientSecret',
    'appleClientSecret',
  ]);
  expect(secret(schema.resources['supabase:index:Migrations']?.inputProperties ?? {})).toEqual(['databaseUrl']);
});

test('an input that the provider computes can not be set by a program', () => {
  const { inputProperties, properties } = schema.resources['supabase:index:Migrations'] ?? expect.fail('no Migrations');
  expect(Object.keys(inputProperties)).toEqual(['directory', 'databaseUrl', 'ahead']);
  expect(Object.keys(properties)).toEqual(['directory', 'files', 'applied', 'head', 'contracts']);
});

test('zod becomes Pulumi: types, defaults, unions, secrets, replacement', () => {
  const shape = z.strictObject({
    name: z.string().describe('N.'),
    size: z.union([z.number(), z.string()]).optional(),
    on: z.boolean().default(true),
    tags: z.array(z.string()).optional(),
    labels: z.record(z.string(), z.string()).optional().meta({ secret: true }),
    digest: z.string().default('').meta({ computed: true }),
  });
  expect(objectSpec(shape, 'input', ['name'])).toEqual({
    properties: {
      name: { type: 'string', description: 'N.', willReplaceOnChanges: true },
      size: { oneOf: [{ type: 'number' }, { type: 'string' }] },
      on: { type: 'boolean', default: true },
      tags: { type: 'array', items: { type: 'string' } },
      labels: { type: 'object', additionalProperties: { type: 'string' }, secret: true },
    },
    required: ['name'],
  });
  const output = objectSpec(shape, 'output', ['name']);
  expect(output.required).toEqual(['digest', 'name', 'on']);
  expect(output.properties).toMatchObject({ name: { type: 'string' }, digest: { type: 'string' } });
});

test('a schema without counterpart in Pulumi is refused, not guessed', () => {
  expect(() => objectSpec(z.object({ at: z.object({ a: z.number() }) }), 'input', [])).toThrow();
});
