import { $ } from 'zx';
import { commandArguments, exitCode } from './arguments.ts';
import { announce, fail } from './report.ts';
import { stackExists } from './stack.ts';
import { removeStaleLock } from './stale-lock.ts';

const usage = `npm run down -- [options]

Removes what "npm run up" made. Data stays, and so do the passwords it was made with: the next "up" finds both.

  --stack <name>  local (default), ryzen, optiplex, or one of your own
  --volumes       remove the data too, and the stack with its history; its configuration stays. There is no way back.
  --json          print the result as JSON on standard output
  --help

The images, the Docker engine and the tools in .kit stay. Exit: 0 removed, 1 failed, 2 misused.`;

async function down(): Promise<void> {
  const { stack, volumes, json } = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    volumes: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (!(await stackExists(stack))) {
    const nothing = `There is no stack ${stack}: nothing to remove.`;
    console.log(json ? JSON.stringify({ stack, removed: 'nothing' }) : nothing);
    return;
  }
  await removeStaleLock(stack);
  const said = volumes ? await removeEverything(stack) : await removeAllButData(stack);
  console.log(json ? JSON.stringify({ stack, removed: volumes ? 'everything' : 'all but data' }) : said);
}

async function removeAllButData(stack: string): Promise<string> {
  announce(`Removing stack ${stack}, keeping its data`);
  await destroy(stack, ['--exclude-protected']);
  return 'Removed. The data is kept in Docker volumes: "npm run up" goes on with it, "npm run down -- --volumes" removes it.';
}

async function removeEverything(stack: string): Promise<string> {
  announce(`Removing stack ${stack} and its data`);
  await $({ quiet: true })`pulumi state unprotect --all --yes -s ${stack}`;
  await destroy(stack, []);
  await $({ quiet: true })`pulumi stack rm --yes --preserve-config ${stack}`;
  return `Removed: stack ${stack}, its containers, its network and its data.`;
}

async function destroy(stack: string, flags: readonly string[]): Promise<void> {
  const run = await $({
    nothrow: true,
    stdio: ['ignore', 2, 2],
  })`pulumi destroy --yes --skip-preview --refresh=false --non-interactive ${flags} -s ${stack}`;
  if (run.exitCode !== 0)
    throw new Error(`Stack ${stack} was not removed to its end; what says why is above. Run the same command again.`);
}

await down().catch((error: unknown) => fail(error, exitCode.failed));
