import { z } from 'zod';
import { $ } from 'zx';

const properties = z.record(z.string(), z.unknown());
const state = z.object({
  type: z.string(),
  id: z.string().optional(),
  inputs: properties.default({}),
  outputs: properties.default({}),
});
const step = z.object({
  op: z.string(),
  urn: z.string(),
  oldState: state.optional(),
  newState: state.optional(),
  diffReasons: z.array(z.string()).default([]),
});
const complaint = z.object({
  urn: z.string().optional(),
  message: z.string(),
  severity: z.string(),
});
const refresh = z.object({ steps: z.array(step).default([]), diagnostics: z.array(complaint).default([]) });

/** A resource as the state has it and as it was found, in the words of Pulumi's JSON. Secrets are masked by Pulumi. */
export type ComparedResource = z.output<typeof step>;
/** What Pulumi, or the provider of a resource, had to say while it looked. */
export type Complaint = z.output<typeof complaint>;

export interface Reality {
  readonly resources: readonly ComparedResource[];
  readonly complaints: readonly Complaint[];
}

/** Compares a stack's state with what is really there; changes neither. Throws when that can't be told at all. */
export async function lookAtReality(stack: string, signal?: AbortSignal): Promise<Reality> {
  const run = $({ quiet: true, nothrow: true, ...(signal ? { signal } : {}) });
  const looked = await run`pulumi refresh --preview-only --json --non-interactive -s ${stack}`;
  signal?.throwIfAborted();
  const parsed = refresh.safeParse(json(looked.stdout));
  if (!parsed.success)
    throw new Error(`What stack ${stack} is like can't be told: ${looked.stderr.trim() || looked.stdout.trim()}`);
  const { steps, diagnostics } = parsed.data;
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (steps.length === 0 && errors.length > 0)
    throw new Error(
      `What stack ${stack} is like can't be told:\n${errors.map(({ message }) => message.trim()).join('\n')}`,
    );
  return { resources: steps, complaints: diagnostics };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it failed before it had something to say in JSON; the caller shows what it said
  }
}
