import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { $ } from 'zx';

/** The commit that a bundle is made of. */
export interface Program {
  readonly version: string;
  readonly commit: string;
}

/**
 * The program as its last commit has it. Throws where the working tree holds anything else: images are built from the
 * tree, and a release has to know its program. Configuration of stacks does not count: it stays where it is.
 */
export async function committedProgram(root: string): Promise<Program> {
  const git = $({ cwd: root, quiet: true, nothrow: true });
  const head = await git`git rev-parse --verify HEAD`;
  const top = await git`git rev-parse --show-prefix`;
  if (head.exitCode !== 0 || top.stdout.trim() !== '') {
    throw new Error(
      `${root} is no git repository with a commit, and a bundle is made of one. Make it one: git init && git add --all && git commit -m "conversation-kit"`,
      { cause: head.stderr.trim() || undefined },
    );
  }
  const status = await git`git status --porcelain --untracked-files=all -z`;
  if (status.exitCode !== 0) throw new Error(`git can't tell what has changed: ${status.stderr.trim()}`);
  const changed = uncommitted(status.stdout);
  if (changed.length > 0) {
    throw new Error(
      `A bundle is made of a commit, and this is not committed: ${changed.slice(0, 5).join(', ')}${changed.length > 5 ? ` and ${changed.length - 5} more` : ''}. ` +
        'Commit it, or put it aside (git stash --include-untracked), then run the same command again.',
    );
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return { version: String(version), commit: head.stdout.trim() };
}

/** Paths in the output of `git status --porcelain -z`, without the stacks' configuration. */
export function uncommitted(status: string): string[] {
  const entries = status.split('\0').filter((entry) => entry !== '');
  return entries
    .filter((_entry, index) => !/^[RC]/.test(entries[index - 1] ?? '')) // where a renamed file was before
    .map((entry) => entry.slice(3))
    .filter((path) => !/^Pulumi\.[^/]+\.yaml$/.test(path));
}

/**
 * Lays the program out in `folder`: the files of its commit, and a repository with the history of that. Everything in
 * one pack, made anew, so that the same history is the same bytes whatever the repository has gone through.
 */
export async function layOutProgram(
  root: string,
  { commit }: Program,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const run = $({ cwd: root, quiet: true, signal });
  await run`git init --quiet --template= --initial-branch=main ${folder}`;
  const repository = join(folder, '.git');
  const pack = join(repository, 'objects', 'pack');
  await mkdir(pack, { recursive: true });
  await run`git rev-list --objects ${commit} | git pack-objects --quiet --threads=1 --no-reuse-delta --no-reuse-object ${join(pack, 'pack')}`;
  const shallow = join(root, (await run`git rev-parse --git-path shallow`).stdout.trim());
  if (existsSync(shallow)) await writeFile(join(repository, 'shallow'), readFileSync(shallow));
  await mkdir(join(repository, 'refs', 'heads'), { recursive: true });
  await writeFile(join(repository, 'refs', 'heads', 'main'), `${commit}\n`);
  const own = $({ quiet: true, signal, env: { ...process.env, GIT_DIR: repository, GIT_WORK_TREE: folder } });
  await own`git read-tree ${commit}`;
  await own`git checkout-index --all`;
}

/** The digests of the program's files, as `sha256sum` writes them: what the box tells its own files apart by. */
export async function programDigests(folder: string): Promise<string> {
  const listed = await $({ quiet: true, cwd: folder })`git ls-files -z`;
  const paths = listed.stdout
    .split('\0')
    .filter((path) => path !== '' && !lstatSync(join(folder, path)).isSymbolicLink());
  const strange = paths.find((path) => /[\n\r\\]/.test(path));
  if (strange !== undefined) throw new Error(`the file ${JSON.stringify(strange)} can't be in a bundle: rename it`);
  const lines = paths.sort().map((path) => {
    const digest = createHash('sha256')
      .update(readFileSync(join(folder, path)))
      .digest('hex');
    return `${digest}  ${path}\n`;
  });
  return lines.join('');
}
