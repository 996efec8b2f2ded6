import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { $ } from 'zx';
import { output, tarCommand } from '../../../scripts/bundle/archive.ts';
import { BundleFile } from '../../../scripts/bundle/bundle-file.ts';
import type { Manifest } from '../../../scripts/bundle/manifest.ts';
import { committedProgram, layOutProgram, programDigests } from '../../../scripts/bundle/program.ts';

const quiet = $({ quiet: true });
const { signal } = new AbortController();

/** A git repository of a program of a few files, and bundles of its commits: as real ones, but for what is in them. */
export interface SmallProgram {
  readonly root: string;
  /** Replaces all files, and commits. Returns the commit. */
  commit(files: Readonly<Record<string, string>>): Promise<string>;
  /** Makes a bundle of the last commit. */
  bundle(file: string): Promise<void>;
  remove(): Promise<void>;
}

export async function smallProgram(): Promise<SmallProgram> {
  const root = await mkdtemp(join(tmpdir(), 'conversation-kit-program-'));
  const git = $({ cwd: root, quiet: true });
  await git`git init --quiet --initial-branch=main`;
  await git`git config user.name Tester`;
  await git`git config user.email tester@example.com`;
  return {
    root,
    async commit(files) {
      await git`git rm -r --quiet --force --ignore-unmatch .`;
      await writeFiles(root, { 'package.json': '{ "version": "0.1.0" }', ...files });
      await git`git add --all`;
      await git`git commit --quiet --message ${'A program'}`;
      return (await git`git rev-parse HEAD`).stdout.trim();
    },
    bundle: (file) => makeBundle(root, file),
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

async function makeBundle(root: string, file: string): Promise<void> {
  const workspace = await mkdtemp(join(tmpdir(), 'conversation-kit-small-bundle-'));
  const bundle = await BundleFile.create(file);
  try {
    const program = await committedProgram(root);
    const laidOut = join(workspace, 'program');
    await layOutProgram(root, program, laidOut, signal);
    const kit = join(workspace, 'kit');
    await writeFiles(kit, { '.kit/image-source': 'local\n', '.kit/toolchain/node-1/node': nodeHere });
    await quiet`chmod 755 ${join(kit, '.kit/toolchain/node-1/node')}`;
    await mkdir(join(kit, '.kit/bin'));
    await symlink('../toolchain/node-1/node', join(kit, '.kit/bin/node'));
    await writeFiles(workspace, { 'packages/node_modules/a/index.js': `// ${program.commit}\n` });
    const archives = [
      ['node.tar.gz', 'tar.gz', { folder: kit, paths: ['.kit'] }],
      ['program.tar.zst', 'tar.zst', { folder: laidOut, paths: (await readdir(laidOut)).sort() }],
      ['node_modules.tar', 'tar', { folder: join(workspace, 'packages'), paths: ['node_modules'] }],
    ] as const;
    for (const [name, kind, content] of archives) {
      const { stream, ended } = output(tarCommand([content]), { signal });
      await Promise.all([bundle.add(name, kind, stream, signal), ended]);
    }
    const manifest: Manifest = {
      format: 1,
      ...program,
      stack: 'local',
      architecture: process.arch,
      glibc: '2.28',
      images: { source: 'local', list: [] },
      packages: undefined,
      parts: bundle.parts,
    };
    await bundle.add('files', 'file', await programDigests(laidOut), signal);
    await bundle.add('manifest.json', 'file', JSON.stringify(manifest), signal);
    await bundle.finish(await readFile('scripts/bundle/install.sh', 'utf8'), manifest);
  } finally {
    await bundle.close();
    await rm(workspace, { recursive: true, force: true });
  }
}

const nodeHere = `#!/bin/sh\nexec '${process.execPath}' "$@"\n`;
