import { z } from 'zod';

/** What the reference says of a Pulumi package schema. */
const type: z.ZodType<TypeSpec> = z.lazy(() =>
  z.union([
    z.object({ type: z.literal('array'), items: type }),
    z.object({ type: z.literal('object'), additionalProperties: type }),
    z.object({ type: z.enum(['string', 'boolean', 'integer', 'number']) }),
    z.object({ oneOf: z.array(type) }),
  ]),
);
type TypeSpec =
  | { type: 'array'; items: TypeSpec }
  | { type: 'object'; additionalProperties: TypeSpec }
  | { type: string }
  | { oneOf: TypeSpec[] };

const property = z.intersection(
  type,
  z.object({
    description: z.string(),
    default: z.union([z.string(), z.number(), z.boolean()]).optional(),
    secret: z.boolean().default(false),
    willReplaceOnChanges: z.boolean().default(false),
  }),
);
const properties = z.record(z.string(), property);
type Property = z.output<typeof property>;

const packageSchema = z.object({
  provider: z.object({ description: z.string(), inputProperties: properties }),
  resources: z.record(
    z.string(),
    z.object({
      description: z.string(),
      inputProperties: properties,
      requiredInputs: z.array(z.string()),
      properties,
    }),
  ),
});

const introduction = `# @pulumi/supabase

Generated from the provider's definitions by \`npm run sdk\`: change those, not this file.

A Pulumi provider for Supabase, hosted or embedded, in \`infra/providers/supabase\`; its package for programs is in
\`sdks/supabase\`. A Pulumi project uses it through two lines: the dependency \`"@pulumi/supabase": "file:sdks/supabase"\` in
\`package.json\`, and in \`Pulumi.yaml\`

\`\`\`yaml
plugins:
  providers:
    - name: supabase
      path: infra/providers/supabase
\`\`\``;

/** The reference of a provider, in Markdown. Throws when the schema has something that it can't describe. */
export function reference(schema: string): string {
  const { provider, resources } = packageSchema.parse(JSON.parse(schema));
  const sections = Object.entries(resources).map(([token, resource]) => {
    const { inputProperties, requiredInputs, properties: outputs } = resource;
    const computed = Object.entries(outputs).filter(([name]) => !Object.hasOwn(inputProperties, name));
    return [
      `## ${token.split(':').at(-1)}`,
      resource.description.trim().replaceAll('\n## ', '\n### '),
      '### Inputs',
      table(Object.entries(inputProperties), requiredInputs),
      ...(computed.length > 0 ? ['### Outputs, beside the inputs', table(computed, [])] : []),
    ].join('\n\n');
  });
  return `${[
    introduction,
    '## Provider',
    `${provider.description} Every value can come from \`new supabase.Provider(…)\`, from \`pulumi config set supabase:<name>\`, or from the environment: \`SUPABASE_URL\`, \`SUPABASE_SECRET_KEY\`, \`SUPABASE_DATABASE_URL\`, \`SUPABASE_ACCESS_TOKEN\`, \`SUPABASE_PROJECT_REF\`.`,
    `\`\`\`typescript
import * as supabase from '@pulumi/supabase';

const config = new pulumi.Config();
const provider = new supabase.Provider('project', {
  url: 'https://<ref>.supabase.co',
  secretKey: config.requireSecret('supabaseSecretKey'),
});
\`\`\``,
    table(Object.entries(provider.inputProperties), []),
    ...sections,
  ].join('\n\n')}\n`;
}

function table(rows: readonly (readonly [string, Property])[], required: readonly string[]): string {
  const lines = rows.map(([name, spec]) => {
    const notes = [
      required.includes(name) ? 'Required.' : '',
      spec.description,
      spec.default === undefined ? '' : `Default: \`${spec.default}\`.`,
      spec.secret ? 'Secret: encrypted in the state.' : '',
      spec.willReplaceOnChanges ? 'A change replaces the resource.' : '',
    ];
    return `| \`${name}\` | ${typeName(spec)} | ${notes.filter((note) => note !== '').join(' ')} |`;
  });
  return ['| name | type | meaning |', '| --- | --- | --- |', ...lines].join('\n');
}

function typeName(spec: TypeSpec): string {
  if ('oneOf' in spec) return spec.oneOf.map(typeName).join(' or ');
  if ('items' in spec) return `list of ${typeName(spec.items)}`;
  if ('additionalProperties' in spec) return `map of ${typeName(spec.additionalProperties)}`;
  return spec.type;
}
