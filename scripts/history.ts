import { commandArguments, exitCode, misused } from './arguments.ts';
import { readDeployLog } from './deploy/deploy-log.ts';
import { historyRows, historyTable } from './deploy/history.ts';
import { readUpdates, type Update } from './releases/updates.ts';
import { fail, reasons } from './report.ts';

const usage = `npm run history -- [options]

What was deployed to a stack, the newest first: by "npm run deploy" from this checkout, with its verdict, and every
other update that the stack's backend knows of.

  --stack <name>  local (default), ryzen, optiplex, or one of your own
  --limit <n>     how many (default: 20)
  --json          print them as JSON on standard output
  --help

Exit: 0 listed, 1 failed, 2 misused.`;

async function history(): Promise<void> {
  const options = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    limit: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  });
  const { stack, json } = options;
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) {
    misused(usage, `--limit ${options.limit}: must be a whole number from 1`);
  }
  const log = readDeployLog(stack);
  const rows = historyRows(log.deploys, await knownUpdates(stack)).slice(0, limit);
  if (log.tornLines > 0) {
    console.error(`${log.tornLines} of the deploy log's lines can't be read (a power cut?), and are left out.`);
  }
  if (json) console.log(JSON.stringify(rows));
  else console.log(rows.length === 0 ? `Nothing was deployed to stack ${stack} yet.` : historyTable(rows));
}

/** None where the backend does not tell; the log of the deploys is worth showing without them. */
async function knownUpdates(stack: string): Promise<Update[]> {
  try {
    return await readUpdates(stack);
  } catch (error) {
    console.error(`Only deploys from this checkout are listed. ${reasons(error)}`);
    return [];
  }
}

await history().catch((error: unknown) => fail(error, exitCode.failed));
