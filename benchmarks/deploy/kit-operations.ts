import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Command, lastJson, type OwnStack, succeeded } from './own-stack.ts';

/** A setting that the service refuses to start with. */
const unacceptable = ['chatUpstreams', '{"upstreams":{"nameless":{}}}'] as const;
/** A defect that a release can have although it starts, writes and reads: search is not where it was. */
const defect = {
  file: 'service/http/routes/search-routes.ts',
  text: "'/v1/search'",
  instead: "'/v1/searched'",
} as const;

/** Rejects unless the release is refused; what it left in the configuration is taken back. */
export async function badRelease(stack: OwnStack): Promise<Command> {
  const [key, value] = unacceptable;
  const up = await stack.run('up', '--no-smoke', `--config=${key}=${value}`);
  if (up.exitCode === 0) throw new Error(`a release with ${key}=${value} was not refused:\n${up.output}`);
  succeeded(await stack.run('pulumi', 'config', 'rm', key, '-s', 'local'), 'pulumi config rm');
  return up;
}

const deployReport = z.object({
  verdict: z.string(),
  steps: z.array(z.object({ name: z.string(), milliseconds: z.number() })),
});

/** Rejects unless the release gets through its gate, fails its smoke tests and is rolled back. */
export async function failingDeploy(stack: OwnStack): Promise<Command & { readonly rollback: number }> {
  const file = join(stack.checkout.directory, defect.file);
  const good = await readFile(file, 'utf8');
  const bad = good.replace(defect.text, defect.instead);
  if (bad === good) throw new Error(`${defect.file} has no ${defect.text} to break`);
  await writeFile(file, bad);
  try {
    const deploy = await stack.run('deploy', '--yes', '--json');
    const report = deployReport.safeParse(deploy.exitCode === 1 ? lastJson(deploy.stdout) : undefined).data;
    const step = report?.steps.find(({ name }) => name.startsWith('Rollback'));
    if (report?.verdict !== 'rolled back' || step === undefined) {
      throw new Error(
        `a deploy without search ended with ${deploy.exitCode}, and was not rolled back:\n${deploy.output}`,
      );
    }
    return { ...deploy, rollback: step.milliseconds };
  } finally {
    await writeFile(file, good);
  }
}

const historyRows = z.array(z.object({ verdict: z.string(), to: z.string().nullable(), updates: z.array(z.number()) }));

/** To the newest update with another release than the one that is live. */
export async function rollBack(stack: OwnStack): Promise<Command & { readonly release: string }> {
  const listed = succeeded(await stack.run('history', '--json'), 'npm run history');
  const good = historyRows
    .parse(lastJson(listed.stdout))
    .filter(({ verdict }) => verdict === 'succeeded' || verdict === 'deployed');
  const target = good.find(({ to }) => to !== null && to !== good[0]?.to);
  const number = target?.updates.at(-1);
  if (!target?.to || number === undefined) throw new Error('there is no earlier release to go back to');
  const rollback = await stack.run('rollback', '--to', String(number), '--yes');
  return { ...succeeded(rollback, 'npm run rollback'), release: target.to };
}
