import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface DeployedProgram {
  /** HEAD. */
  readonly commit: string | null;
  /** Commit object with the program as it is, changes without a commit included. */
  readonly snapshot: string | null;
  /** Whether the program is what `commit` has. */
  readonly clean: boolean;
}

const unknown: DeployedProgram = { commit: null, snapshot: null, clean: false };
const identity = { name: 'conversation-kit', email: 'conversation-kit@localhost', date: '2000-01-01T00:00:00Z' };

/** What keeps a snapshot from git's garbage collection. */
const refs = 'refs/conversation-kit/releases';

export interface SnapshotOptions {
  /** Puts it into the repository. Otherwise it is only named: a preview changes nothing. */
  readonly write: boolean;
  /** Told why there is none, where there could be one. */
  readonly warn: (message: string) => void;
}

/**
 * The program in `root` as a commit object: what git has of it, with all changes and new files that it does not ignore.
 * Neither the index nor the work tree is touched. Same content on the same commit: same snapshot. Without git there is
 * none.
 */
export function programSnapshot(root: string, { write, warn }: SnapshotOptions): DeployedProgram {
  const workspace = mkdtempSync(join(tmpdir(), 'conversation-kit-snapshot-'));
  try {
    return takeSnapshot(root, workspace, write);
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    if (error.isWorthTelling) {
      warn(`The program of this release is not kept, so nothing can be rolled back to it by command: ${error.message}`);
    }
    return unknown;
  } finally {
    rmSync(workspace, { recursive: true, force: true });
  }
}

function takeSnapshot(root: string, workspace: string, write: boolean): DeployedProgram {
  const plain = (...args: string[]) => git(root, args);
  const prefix = plain('rev-parse', '--show-prefix');
  // A folder that the repository around it ignores is none of its own.
  if (prefix !== '' && succeeds(root, ['check-ignore', '--quiet', '.'])) return unknown;

  const place = (what: string) => resolve(root, plain('rev-parse', '--git-path', what));
  const index = join(workspace, 'index');
  if (existsSync(place('index'))) copyFileSync(place('index'), index); // with it, git need not read every file
  const variables: NodeJS.ProcessEnv = { GIT_INDEX_FILE: index };
  if (!write) {
    const objects = join(workspace, 'objects');
    mkdirSync(objects);
    Object.assign(variables, { GIT_OBJECT_DIRECTORY: objects, GIT_ALTERNATE_OBJECT_DIRECTORIES: place('objects') });
  }
  const apart = (...args: string[]) => git(root, args, variables);

  apart('add', '--all', '--', '.');
  const tree = apart('write-tree', ...(prefix === '' ? [] : [`--prefix=${prefix}`]));
  const hasCommit = succeeds(root, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']);
  const commit = hasCommit ? plain('rev-parse', '--verify', 'HEAD^{commit}') : null;
  const parents = commit === null ? [] : ['-p', commit];
  const snapshot = apart('commit-tree', tree, ...parents, '-m', 'The program as it was deployed');
  const isCommitted = commit !== null && succeeds(root, ['rev-parse', '--verify', '--quiet', `HEAD:${prefix}`]);
  const clean = isCommitted && plain('rev-parse', '--verify', `HEAD:${prefix}`) === tree;
  if (write) plain('update-ref', `${refs}/${snapshot}`, snapshot);
  return { commit, snapshot, clean };
}

/** What git said when it could not do something. */
class GitError extends Error {
  override readonly name = 'GitError';
  readonly isWorthTelling: boolean;
  constructor(message: string, isWorthTelling: boolean) {
    super(message);
    this.isWorthTelling = isWorthTelling;
  }
}

/** What a command of git prints. It runs no hook and no monitor of the person's, and knows no other repository. */
function git(root: string, args: readonly string[], variables: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr, error } = run(root, args, variables);
  if (error) throw new GitError('there is no git on PATH', false);
  if (status === 0) return stdout.trim();
  throw new GitError(stderr.trim(), !stderr.includes('not a git repository'));
}

function succeeds(root: string, args: readonly string[]): boolean {
  return run(root, args, {}).status === 0;
}

function run(root: string, args: readonly string[], variables: NodeJS.ProcessEnv) {
  const options = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.splitIndex=false', 'core.safecrlf=false'];
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'));
  return spawnSync('git', [...options.flatMap((option) => ['-c', option]), ...args], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    env: {
      ...Object.fromEntries(own),
      LC_ALL: 'C',
      GIT_AUTHOR_NAME: identity.name,
      GIT_AUTHOR_EMAIL: identity.email,
      GIT_AUTHOR_DATE: identity.date,
      GIT_COMMITTER_NAME: identity.name,
      GIT_COMMITTER_EMAIL: identity.email,
      GIT_COMMITTER_DATE: identity.date,
      ...variables,
    },
  });
}
