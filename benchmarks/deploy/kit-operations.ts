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

const releaseList = z.object({
  releases: z.array(
    z.object({
      number: z.number(),
      release: z.string().nullable(),
      live: z.boolean(),
      refusals: z.array(z.string()),
    }),
  ),
});

/** To the newest release that is not live. */
export async function rollBack(stack: OwnStack): Promise<Command & { readonly release: string }> {
  const listed = succeeded(await stack.run('rollback', '--json'), 'npm run rollback');
  const { releases } = releaseList.parse(lastJson(listed.stdout));
  const live = releases.find((update) => update.live)?.release;
  const target = releases.find(({ release, refusals }) => release !== live && refusals.length === 0);
  if (!target?.release) throw new Error(`there is no earlier release to go back to:\n${listed.stdout}`);
  const rollback = await stack.run('rollback', '--to', String(target.number), '--yes');
  return { ...succeeded(rollback, 'npm run rollback'), release: target.release };
}
