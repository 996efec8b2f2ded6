import { commandArguments, exitCode } from './arguments.ts';
import { type Drift, findDrift } from './drift/find-drift.ts';
import { announce, fail, table } from './report.ts';

const usage = `npm run drift -- [options]

Says what was changed by hand since the last update: containers, networks, images, volumes, buckets, policies, the ledger
of the migrations, Caddy. Changes nothing; "npm run up" mends it (docs/drift.md).

  --stack <name>  local (default), ryzen, optiplex, or one of your own
  --json          print the result as JSON on standard output
  --help

Exit: 0 everything is as the last update left it, 1 something is not, 2 misused, 3 it could not be looked at.`;

const couldNotLook = 3;

async function drift(): Promise<void> {
  const { stack, json } = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    json: { type: 'boolean', default: false },
  });
  announce(`Looking at stack ${stack}`);
  const found = await findDrift(stack);
  if (json) console.log(JSON.stringify({ stack, ...found }));
  else show(stack, found);
  if (found.differences.length > 0) process.exit(exitCode.failed);
  if (found.unseen.length > 0) process.exit(couldNotLook);
}

function show(stack: string, { differences, unseen }: Drift): void {
  if (differences.length > 0) {
    const rows = differences.map(({ thing, what, remedy }) => [thing, what, remedy]);
    console.log(table(['changed by hand', 'what', `npm run up -- --stack ${stack}`], rows));
  } else if (unseen.length === 0) console.log(`Stack ${stack} is as its last update left it.`);
  for (const line of unseen) console.log(`\nNot looked at: ${line}`);
}

await drift().catch((error: unknown) => fail(error, couldNotLook));
