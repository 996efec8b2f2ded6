import { $, type ProcessPromise } from 'zx';

/** What keeps the programs of releases from git's garbage collection; `infra/program-snapshot.ts` writes them. */
export const snapshotRefs = 'refs/conversation-kit/releases';

/** Runs git in the project's repository: none of the person's hooks, and no other repository of their environment. */
export function git(args: readonly string[], options: { cwd?: string; index?: string } = {}): ProcessPromise {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'));
  const index = options.index === undefined ? {} : { GIT_INDEX_FILE: options.index };
  return $({
    quiet: true,
    nothrow: true,
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: { ...Object.fromEntries(own), LC_ALL: 'C', ...index },
  })`git -c core.hooksPath=/dev/null ${args}`;
}

/** What git prints. Throws with what it says when it fails. */
export async function gitText(
  args: readonly string[],
  options: { cwd?: string; index?: string } = {},
): Promise<string> {
  const run = await git(args, options);
  if (run.exitCode === 0) return run.stdout.trim();
  throw new Error(`git ${args[0]} failed: ${run.stderr.trim()}`);
}

/** Subjects of the commits that `to` has and `from` has not, the newest first; none where that can't be told. */
export async function subjectsBetween(from: string, to: string): Promise<string[]> {
  const log = await git(['log', '--format=%s', '--max-count=20', `${from}..${to}`, '--']);
  return log.exitCode === 0 ? log.stdout.split('\n').filter((line) => line !== '') : [];
}
