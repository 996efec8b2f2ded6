import { commandArguments, exitCode } from './arguments.ts';
import { fail } from './report.ts';
import { checkSdk, generateSdk } from './sdk/supabase-sdk.ts';

const usage = `npm run sdk -- [options]

Generates sdks/supabase, the package @pulumi/supabase, and docs/providers/supabase.md from the provider in
infra/providers/supabase. Needs Go.

  --check   change nothing; say what is out of step (without Go)
  --help

Exit: 0 in step, 1 out of step or failed, 2 misused.`;

async function sdk(): Promise<void> {
  const { check } = commandArguments(usage, { check: { type: 'boolean', default: false } });
  if (!check) {
    console.log(`Generated sdks/supabase: ${(await generateSdk()).join(', ')}`);
    return;
  }
  const found = await checkSdk();
  if (found.length === 0) console.log('sdks/supabase is in step with the provider.');
  else throw new Error(`sdks/supabase is out of step: ${found.join('; ')}. Generate it anew: npm run sdk`);
}

await sdk().catch((error: unknown) => fail(error, exitCode.failed));
