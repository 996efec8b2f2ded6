import type { z } from 'zod';
import type { ResourceDefinition } from '../../plugin/resource.ts';
import type { SupabaseConfig } from '../config.ts';

/**
 * A resource and all that the Pulumi schema, the SDK and the reference say of it. Descriptions of properties are in the
 * zod schemas; their `meta` may say `secret: true`, and `computed: true` for an input that no program sets.
 */
export interface DocumentedResource<Inputs extends object, Outputs extends object> {
  readonly definition: ResourceDefinition<Inputs, Outputs, SupabaseConfig>;
  readonly inputs: z.ZodObject;
  readonly outputs: z.ZodObject;
  /** Markdown. */
  readonly description: string;
  /** TypeScript, to be read after `import * as supabase from '@pulumi/supabase'`. */
  readonly example: string;
}
