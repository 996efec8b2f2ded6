import { supabaseConfig } from '../config.ts';
import { resources } from '../resources.ts';
import { version } from '../version.ts';
import { objectSpec } from './property-spec.ts';

/**
 * The provider's Pulumi package schema, made from the definitions themselves: what `pulumi package get-schema` shows and
 * what the SDK is generated from.
 */
export function packageSchema() {
  const config = objectSpec(supabaseConfig, 'input', []);
  return {
    name: 'supabase',
    displayName: 'Supabase',
    version,
    description:
      'Supabase as code, hosted or embedded: projects and their settings, schema migrations, storage buckets.',
    keywords: ['category/database', 'kind/native', 'supabase', 'postgresql'],
    license: 'Apache-2.0',
    config: { variables: config.properties },
    provider: {
      description: 'How a Supabase project is reached.',
      inputProperties: config.properties,
      requiredInputs: config.required,
    },
    resources: Object.fromEntries(
      resources.map(({ definition, description, example, inputs, outputs }) => {
        const inputSpec = objectSpec(inputs, 'input', definition.replaceOnChanges);
        const outputSpec = objectSpec(outputs, 'output', []);
        return [
          definition.token,
          {
            description: `${description}\n\n## Example\n\n\`\`\`typescript\n${example}\n\`\`\`\n`,
            inputProperties: inputSpec.properties,
            requiredInputs: inputSpec.required,
            properties: outputSpec.properties,
            required: outputSpec.required,
          },
        ];
      }),
    ),
    language: {
      nodejs: {
        packageName: '@pulumi/supabase',
        dependencies: { '@pulumi/pulumi': '^3.250.0' },
        respectSchemaVersion: true,
      },
    },
  };
}
