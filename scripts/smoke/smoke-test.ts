import { createClient } from '@supabase/supabase-js';
import { smokeMark } from '../../health/smoke-mark.ts';
import type { StackOutputs } from '../stack.ts';
import { openStackClient } from '../stack-client.ts';
import { stackContainers } from './containers.ts';
import { type SmokeStep, smokeSteps } from './steps.ts';

export interface SmokeOutcome {
  readonly step: string;
  /** Which tier answered, where one did. */
  readonly tier: string | undefined;
  readonly milliseconds: number;
  readonly verdict: 'kept' | 'broken';
  readonly reason?: string;
}

export interface SmokeReport {
  readonly outcomes: readonly SmokeOutcome[];
  /** The promise that was not kept, and the last lines of the log that tells most about it. */
  readonly broken:
    | { readonly step: string; readonly reason: string; readonly suspect: string; readonly log: string }
    | undefined;
}

export interface SmokeOptions {
  /** Whether containers are restarted and caches emptied: it shows more, and interrupts what the stack serves. */
  readonly restarts: boolean;
  readonly onOutcome?: (outcome: SmokeOutcome) => void;
  /** Ends the tests after the step at hand. */
  readonly signal?: AbortSignal;
}

/** Tries what the kit promises on a stack that is up, and deletes again what that wrote. */
export async function smokeTest(outputs: StackOutputs, options: SmokeOptions): Promise<SmokeReport> {
  const { restarts, onOutcome, signal } = options;
  const containers = stackContainers(outputs);
  const client = await openStackClient(outputs);
  const outcomes: SmokeOutcome[] = [];
  try {
    for (const step of smokeSteps(client, containers, { embedded: outputs.embedded, restarts })) {
      signal?.throwIfAborted();
      const outcome = await tried(step);
      outcomes.push(outcome);
      onOutcome?.(outcome);
      if (outcome.reason === undefined) continue;
      // The later steps build on this one.
      const { name, suspect } = step;
      return { outcomes, broken: { step: name, reason: outcome.reason, suspect, log: await containers.log(suspect) } };
    }
    return { outcomes, broken: undefined };
  } finally {
    await client.close();
    await forgetConversations(outputs);
  }
}

async function tried(step: SmokeStep): Promise<SmokeOutcome> {
  const started = performance.now();
  const took = () => performance.now() - started;
  try {
    const tier = await step.run();
    return { step: step.name, tier, milliseconds: took(), verdict: 'kept' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { step: step.name, tier: undefined, milliseconds: took(), verdict: 'broken', reason };
  }
}

/** Deletes what the smoke tests wrote, from earlier runs that were killed, too. */
async function forgetConversations({ supabaseUrl, supabaseSecretKey }: StackOutputs): Promise<void> {
  const supabase = createClient(supabaseUrl, supabaseSecretKey, { auth: { persistSession: false } });
  const { error } = await supabase.from('conversations').delete().contains('metadata', smokeMark);
  if (error) console.error(`The smoke tests' conversation could not be deleted: ${error.message}`);
}
