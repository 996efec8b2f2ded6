import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { $ } from 'zx';
import { programSnapshot } from '../../../infra/program-snapshot.ts';

let root: string;
let told: string[];
const git = (...args: string[]) => $({ cwd: root, quiet: true })`git ${args}`;
const snapshotOf = (folder = root, write = true) =>
  programSnapshot(folder, { write, warn: (message) => void told.push(message) });
const filesOf = async (snapshot: string | null) =>
  (await git('ls-tree', '-r', '--name-only', snapshot ?? '')).stdout.trim().split('\n');
const refs = async () => (await git('for-each-ref', '--format=%(refname)')).stdout.trim().split('\n');

beforeEach(async () => {
  told = [];
  root = await mkdtemp(join(tmpdir(), 'conversation-kit-snapshot-test-'));
  await git('init', '--quiet', '--initial-branch=main');
  await git('config', 'user.name', 'Tester');
  await git('config', 'user.email', 'tester@example.com');
  await writeFile(join(root, 'program.ts'), 'one\n');
  await writeFile(join(root, '.gitignore'), 'Pulumi.local.yaml\n.kit/\n');
  await git('add', '--all');
  await git('commit', '--quiet', '--message', 'One');
});
afterEach(() => rm(root, { recursive: true, force: true }));

test('what is committed is the snapshot, the same every time, and kept by a ref', async () => {
  const snapshot = snapshotOf();
  const head = (await git('rev-parse', 'HEAD')).stdout.trim();
  expect(snapshot).toEqual({ commit: head, snapshot: expect.stringMatching(/^[0-9a-f]{40}$/), clean: true });
  expect(snapshotOf()).toEqual(snapshot);
  expect(await refs()).toContain(`refs/conversation-kit/releases/${snapshot.snapshot}`);
  await git('gc', '--quiet', '--prune=now');
  expect(await filesOf(snapshot.snapshot)).toEqual(['.gitignore', 'program.ts']);
});

test('changes and new files are in it, ignored ones are not, and index and work tree stay as they were', async () => {
  const clean = snapshotOf();
  await writeFile(join(root, 'program.ts'), 'two\n');
  await writeFile(join(root, 'new.ts'), 'new\n');
  await writeFile(join(root, 'Pulumi.local.yaml'), 'secret: yes\n');
  await writeFile(join(root, 'staged.ts'), 'staged\n');
  await git('add', 'staged.ts');
  const before = await Promise.all([git('status', '--porcelain=v2'), readFile(join(root, '.git', 'index'))]);
  const dirty = snapshotOf();
  expect([await git('status', '--porcelain=v2'), await readFile(join(root, '.git', 'index'))].map(String)).toEqual(
    before.map(String),
  );
  expect(dirty).toMatchObject({ commit: clean.commit, clean: false });
  expect(await filesOf(dirty.snapshot)).toEqual(['.gitignore', 'new.ts', 'program.ts', 'staged.ts']);
  expect((await git('show', `${dirty.snapshot}:program.ts`)).stdout).toBe('two\n');
});

test('a preview names the same snapshot and writes nothing', async () => {
  await writeFile(join(root, 'new.ts'), 'new\n');
  const objects = async () => (await git('count-objects', '-v')).stdout;
  const before = [await objects(), await refs()];
  const named = snapshotOf(root, false);
  expect([await objects(), await refs()]).toEqual(before);
  expect(named).toEqual(snapshotOf());
});

test('no hook of the person runs, and no repository of their environment is taken for this one', async () => {
  const hook = join(root, '.git', 'hooks', 'reference-transaction');
  await writeFile(hook, `#!/bin/sh\ntouch "${root}/.kit-hook"\n`, { mode: 0o755 });
  process.env.GIT_INDEX_FILE = join(root, 'no-index');
  try {
    expect(snapshotOf().clean).toBe(true);
  } finally {
    delete process.env.GIT_INDEX_FILE;
  }
  expect(await readdir(root)).not.toContain('.kit-hook');
});

test('a folder inside a larger repository is kept alone; one that it ignores is none of its own', async () => {
  await mkdir(join(root, 'kit'));
  await writeFile(join(root, 'kit', 'program.ts'), 'one\n');
  await git('add', '--all');
  await git('commit', '--quiet', '--message', 'Two');
  const inside = snapshotOf(join(root, 'kit'));
  expect(inside.clean).toBe(true);
  expect(await filesOf(inside.snapshot)).toEqual(['program.ts']);
  await mkdir(join(root, '.kit', 'copy'), { recursive: true });
  expect(snapshotOf(join(root, '.kit', 'copy'))).toEqual({ commit: null, snapshot: null, clean: false });
  expect(told).toEqual([]);
});

test('without a repository there is none, without a word; what git refuses is told, and stops nothing', async () => {
  await rm(join(root, '.git'), { recursive: true });
  expect(snapshotOf().snapshot).toBeNull();
  expect(told).toEqual([]);
  await git('init', '--quiet');
  await writeFile(join(root, '.git', 'index'), 'torn');
  expect(snapshotOf().snapshot).toBeNull();
  expect(told).toEqual([expect.stringContaining('index file')]);
});

test('before the first commit the program is kept, too', async () => {
  await rm(join(root, '.git'), { recursive: true });
  await git('init', '--quiet');
  const snapshot = snapshotOf();
  expect(snapshot).toMatchObject({ commit: null, clean: false });
  expect(await filesOf(snapshot.snapshot)).toContain('program.ts');
});
