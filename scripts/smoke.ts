import { commandArguments, exitCode } from './arguments.ts';
import { fail } from './report.ts';
import { showSmokeTest } from './smoke/report.ts';
import { stackOutputs } from './stack.ts';

const usage = `npm run smoke -- [options]

Writes a conversation through Caddy, restarts the containers one after the other, and reads it back from each tier.
The conversation is deleted again. What the stack serves is interrupted for the seconds that the restarts take.

  --stack <name>  local (default), ryzen, optiplex, or one of your own
  --no-restarts   restart nothing and empty no cache: less is tried, and nothing is interrupted
  --json          print the result as JSON on standard output
  --help

Exit: 0 every promise kept, 1 one was not, 2 misused.`;

async function smoke(): Promise<void> {
  const options = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    'no-restarts': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  const { stack, json } = options;
  const restarts = !options['no-restarts'];
  const { outcomes, broken } = await showSmokeTest(await stackOutputs(stack), { restarts });
  if (json) console.log(JSON.stringify({ stack, kept: broken === undefined, steps: outcomes }));
  if (broken) process.exit(exitCode.failed);
}

await smoke().catch((error: unknown) => fail(error, exitCode.failed));
