import { createClient } from '@supabase/supabase-js';
import { commandArguments, exitCode } from './arguments.ts';
import { fail, table } from './report.ts';
import { duration } from './setup/duration.mjs';
import { type Containers, stackContainers } from './smoke/containers.ts';
import { smokeMark } from './smoke/smoke-conversation.ts';
import { type SmokeStep, smokeSteps } from './smoke/steps.ts';
import { type StackOutputs, stackOutputs } from './stack.ts';
import { openStackClient } from './stack-client.ts';

const usage = `npm run smoke -- [options]

Writes a conversation through Caddy, restarts the containers one after the other, and reads it back from each tier.
The conversation is deleted again. What the stack serves is interrupted for the seconds that the restarts take.

  --stack <name>  local (default), ryzen, optiplex, or one of your own
  --json          print the result as JSON on standard output
  --help

Exit: 0 every promise kept, 1 one was not, 2 misused.`;

interface Outcome {
  readonly step: string;
  readonly tier: string | undefined;
  readonly milliseconds: number;
  readonly verdict: 'kept' | 'broken';
  readonly reason?: string;
}

async function smoke(): Promise<void> {
  const { stack, json } = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    json: { type: 'boolean', default: false },
  });
  const outputs = await stackOutputs(stack);
  const containers = stackContainers(outputs.namespace);
  const client = await openStackClient(outputs);
  const outcomes: Outcome[] = [];
  let broken: SmokeStep | undefined;
  try {
    for (const step of smokeSteps(client, containers, outputs.embedded)) {
      const outcome = await tried(step);
      outcomes.push(outcome);
      if (!json)
        console.error(`  ${outcome.verdict === 'kept' ? '✓' : '✗'} ${step.name} (${duration(outcome.milliseconds)})`);
      if (outcome.verdict === 'broken') {
        broken = step;
        break; // the later steps build on this one
      }
    }
  } finally {
    await client.close();
    await forgetConversations(outputs);
  }
  if (json) console.log(JSON.stringify({ stack, kept: broken === undefined, steps: outcomes }));
  else console.error(`\n${outcomeTable(outcomes)}`);
  if (broken) await explain(broken, outcomes, containers);
}

async function tried(step: SmokeStep): Promise<Outcome> {
  const started = performance.now();
  try {
    const tier = await step.run();
    return { step: step.name, tier, milliseconds: performance.now() - started, verdict: 'kept' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { step: step.name, tier: undefined, milliseconds: performance.now() - started, verdict: 'broken', reason };
  }
}

function outcomeTable(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ step, tier, milliseconds, verdict }) => [
    step,
    tier ?? '-',
    String(Math.round(milliseconds)),
    verdict,
  ]);
  return table(['step', 'tier', 'ms', 'verdict'], rows);
}

async function explain(step: SmokeStep, outcomes: readonly Outcome[], containers: Containers): Promise<never> {
  console.error(`\nBroken: ${step.name}: ${outcomes.at(-1)?.reason}`);
  console.error(`\nLast lines of the log of ${step.suspect}:\n${await containers.log(step.suspect)}`);
  process.exit(exitCode.failed);
}

/** Deletes what the smoke tests wrote, from earlier runs that were killed, too. */
async function forgetConversations({ supabaseUrl, supabaseSecretKey }: StackOutputs): Promise<void> {
  const supabase = createClient(supabaseUrl, supabaseSecretKey, { auth: { persistSession: false } });
  const { error } = await supabase.from('conversations').delete().contains('metadata', smokeMark);
  if (error) console.error(`The smoke tests' conversation could not be deleted: ${error.message}`);
}

await smoke().catch((error: unknown) => fail(error, exitCode.failed));
