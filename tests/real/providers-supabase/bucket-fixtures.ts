import type { z } from 'zod';
import { bucket } from '../../../infra/providers/supabase/bucket/bucket.ts';

export const { definition } = bucket;

export type BucketInputs = z.output<typeof bucket.definition.inputs>;

/** Inputs as the framework hands them over: parsed, with defaults. */
export function inputs(given: { name: string } & Partial<BucketInputs>): BucketInputs {
  return definition.inputs.parse(given);
}

/** A context that remembers what was said. */
export function contextFor(url: string, secretKey: string, signal = new AbortController().signal) {
  const progress: string[] = [];
  const warnings: string[] = [];
  return {
    urn: 'urn:pulumi:test::project::supabase:index:Bucket::files',
    preview: false,
    signal,
    config: { url, secretKey },
    progress: (line: string) => progress.push(line),
    warn: (line: string) => warnings.push(line),
    said: { progress, warnings },
  };
}
