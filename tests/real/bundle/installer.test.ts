import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { $ } from 'zx';
import { headerBytes } from '../../../scripts/bundle/header.ts';
import { demandWholeInstallation } from '../../../scripts/setup/bundle.mjs';
import { openKit } from '../../../scripts/setup/kit.mjs';
import { type SmallProgram, smallProgram, writeFiles } from './small-bundle.ts';

let program: SmallProgram;
let bundles: string;
let directory: string;
let older: string;
let newer: string;
let newerCommit: string;

beforeAll(async () => {
  program = await smallProgram();
  bundles = await mkdtemp(join(tmpdir(), 'conversation-kit-bundles-'));
  older = join(bundles, 'older.sh');
  newer = join(bundles, 'newer.sh');
  await program.commit({
    Caddyfile: 'older',
    'infra/index.ts': 'older',
    'infra/gone.ts': 'older',
    'former/only.ts': 'older',
    'hooks/before-deploy.sample': 'sample',
    'Pulumi.ryzen.yaml': 'older',
    'Pulumi.optiplex.yaml': 'older',
  });
  await program.bundle(older);
  newerCommit = await program.commit({
    Caddyfile: 'newer',
    'infra/index.ts': 'newer',
    'infra/added.ts': 'newer',
    'hooks/before-deploy.sample': 'sample',
    'Pulumi.ryzen.yaml': 'newer',
    'Pulumi.optiplex.yaml': 'newer',
  });
  await program.bundle(newer);
});

afterAll(async () => {
  await program.remove();
  await rm(bundles, { recursive: true, force: true });
});

beforeEach(async () => {
  const folder = await mkdtemp(join(bundles, 'box-'));
  directory = join(folder, 'kit');
});

/** Runs a bundle with other programs in place of the system's. */
async function run(
  bundle: string,
  { stubs = {}, args = [] }: { stubs?: Record<string, string>; args?: string[] } = {},
) {
  const folder = await mkdtemp(join(bundles, 'stubs-'));
  for (const [name, script] of Object.entries(stubs)) {
    await writeFile(join(folder, name), `#!/bin/sh\nPATH=${process.env.PATH}\n${script}\n`, { mode: 0o755 });
  }
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
  const ran = await $({
    quiet: true,
    nothrow: true,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })`sh ${bundle} ${args} ${directory}`;
  return { exitCode: ran.exitCode, output: ran.stdall };
}

const read = (path: string) => readFile(join(directory, path), 'utf8');

/** Every file with its content, but for what is about a moment. */
async function contents(): Promise<string> {
  const listed = await $({
    cwd: directory,
    quiet: true,
  })`find . -type f ! -path ./.kit/lock | LC_ALL=C sort | xargs sha256sum`;
  return listed.stdout;
}

test('puts everything in its place, and the program is a clean repository at its commit', async () => {
  const { exitCode, output } = await run(newer);
  expect({ exitCode, output }).toMatchObject({ exitCode: 0, output: expect.stringContaining('npm run up') });
  expect(await read('infra/index.ts')).toBe('newer');
  expect(await read('node_modules/a/index.js')).toContain(newerCommit);
  expect(JSON.parse(await read('.kit/bundle/manifest.json'))).toMatchObject({ commit: newerCommit, version: '0.1.0' });
  expect(existsSync(join(directory, '.kit/incoming'))).toBe(false);
  const git = $({ cwd: directory, quiet: true });
  expect((await git`git rev-parse HEAD`).stdout.trim()).toBe(newerCommit);
  expect((await git`git log --format=%s`).stdout.trim().split('\n')).toHaveLength(2);
  await git`git fsck --strict`;
  expect((await git`git status --porcelain -- infra Caddyfile`).stdout).toBe('');
});

test('the same program gives the same bytes', async () => {
  const again = join(bundles, 'again.sh');
  await program.bundle(again);
  expect((await readFile(again)).equals(await readFile(newer))).toBe(true);
});

test('can be run again, and over an installation in which nobody has changed anything', async () => {
  expect(await run(older)).toMatchObject({ exitCode: 0 });
  const once = await contents();
  expect(await run(older)).toMatchObject({ exitCode: 0 });
  expect(await contents()).toBe(once);
  expect(await run(newer)).toMatchObject({ exitCode: 0 });
  expect(await read('infra/index.ts')).toBe('newer');
});

describe('over an earlier installation', () => {
  beforeEach(async () => {
    expect(await run(older)).toMatchObject({ exitCode: 0 });
    const git = $({ cwd: directory, quiet: true });
    await git`git update-ref refs/conversation-kit/releases/1 HEAD`;
    await writeFiles(directory, {
      '.kit/passphrase': 'secret',
      '.kit/state/.pulumi/stacks/local.json': '{}',
      'Pulumi.local.yaml': 'mine',
      'Pulumi.ryzen.yaml': 'mine',
      'hooks/before-deploy': 'mine',
      'backups/local/dump': 'mine',
      Caddyfile: 'mine',
    });
    await chmod(join(directory, 'hooks/before-deploy'), 0o755);
  });

  test('the program becomes the newer one; state, passphrase, configuration and files of one’s own stay', async () => {
    const { exitCode, output } = await run(newer);
    expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
    const git = $({ cwd: directory, quiet: true });
    expect({
      index: await read('infra/index.ts'),
      added: await read('infra/added.ts'),
      packages: (await read('node_modules/a/index.js')).includes(newerCommit),
      gone: ['infra/gone.ts', 'former'].filter((path) => existsSync(join(directory, path))),
      kept: await Promise.all(
        ['.kit/passphrase', '.kit/state/.pulumi/stacks/local.json', 'Pulumi.local.yaml', 'backups/local/dump'].map(
          read,
        ),
      ),
      changed: await read('Pulumi.ryzen.yaml'),
      unchanged: await read('Pulumi.optiplex.yaml'),
      hook: await read('hooks/before-deploy'),
      caddyfile: [await read('Caddyfile'), await read(`.kit/replaced/${newerCommit}/Caddyfile`)],
      head: (await git`git rev-parse HEAD`).stdout.trim(),
    }).toEqual({
      index: 'newer',
      added: 'newer',
      packages: true,
      gone: [],
      kept: ['secret', '{}', 'mine', 'mine'],
      changed: 'mine',
      unchanged: 'newer',
      hook: 'mine',
      caddyfile: ['newer', 'mine'],
      head: newerCommit,
    });
    expect(output).toContain('Caddyfile was changed here');
    await git`git cat-file -e refs/conversation-kit/releases/1`;
    await git`git fsck --strict`;
  });

  test('killed between renames, it is finished by running it again', async () => {
    const folder = await mkdtemp(join(bundles, 'renames-'));
    const before = join(folder, 'before');
    const counter = join(folder, 'counter');
    await $({ quiet: true })`cp -a ${directory} ${before}`;
    const mv = (killAt: number) =>
      `n=$(($(cat ${counter}) + 1)); echo $n >${counter}; [ $n -ne ${killAt} ] || { kill -9 $PPID; exit 1; }; exec mv "$@"`;
    const install = async (killAt: number) => {
      await writeFile(counter, '0');
      return run(newer, { stubs: { mv: mv(killAt) } });
    };
    expect(await install(0)).toMatchObject({ exitCode: 0 });
    const wanted = await contents();
    const renames = Number(await readFile(counter, 'utf8'));

    for (const at of [1, 4, Math.ceil(renames / 2), renames - 1, renames]) {
      await rm(directory, { recursive: true });
      await $({ quiet: true })`cp -a ${before} ${directory}`;
      expect(await install(at)).toMatchObject({ exitCode: null });
      expect(() => demandWholeInstallation(openKit(directory, {}))).toThrow('was interrupted');
      expect(await run(newer)).toMatchObject({ exitCode: 0 });
      expect(await contents()).toBe(wanted);
    }
  });
});

describe('is refused before anything is placed, with a remedy', () => {
  const refused = async (ran: ReturnType<typeof run>, words: string) => {
    const { exitCode, output } = await ran;
    expect({ exitCode, output }).toMatchObject({ exitCode: 1, output: expect.stringContaining(words) });
    expect(output).toMatch(/→ |copy it again/);
    expect(existsSync(directory)).toBe(false);
  };

  test('a flipped byte, wherever it is', async () => {
    const damaged = join(bundles, 'damaged.sh');
    const { size } = await stat(newer);
    const places = [400, 5_000, headerBytes - 9, headerBytes + 9, Math.floor((headerBytes + size) / 2), size - 2];
    for (const place of places) {
      await copyFile(newer, damaged);
      const file = await open(damaged, 'r+');
      const byte = Buffer.alloc(1);
      await file.read(byte, 0, 1, place);
      byte.writeUInt8(byte.readUInt8() ^ 1);
      await file.write(byte, 0, 1, place);
      await file.close();
      await refused(run(damaged), 'damaged');
    }
  });

  test('a file that was cut off, or grew', async () => {
    const cut = join(bundles, 'cut.sh');
    await copyFile(newer, cut);
    const { size } = await stat(cut);
    await truncate(cut, size - 1);
    await refused(run(cut), 'was cut off');
    await truncate(cut, size + 1);
    await refused(run(cut), 'something was added');
    await truncate(cut, headerBytes / 2);
    await refused(run(cut), 'damaged');
  });

  test('another processor, an older C library, none of glibc', async () => {
    await refused(run(newer, { stubs: { uname: '[ "$1" = -s ] && echo Linux || echo riscv64' } }), 'riscv64');
    await refused(run(newer, { stubs: { getconf: 'echo glibc 2.27' } }), 'glibc 2.27');
    await refused(run(newer, { stubs: { getconf: 'exit 1' } }), 'no glibc');
  });

  test('a disk with too little room, and one that fills up meanwhile', async () => {
    await refused(run(newer, { stubs: { df: 'echo; echo x 100 90 10 90% /' } }), 'not enough disk space');
    const tar = 'cat >/dev/null; echo "No space left on device" >&2; exit 2';
    await refused(run(newer, { stubs: { tar } }), 'Nothing was placed');
  });

  test('an interruption while it unpacks', async () => {
    const tar = 'kill -TERM $PPID; exec tar "$@"';
    expect(await run(newer, { stubs: { tar } })).toMatchObject({ exitCode: 143 });
    expect(existsSync(directory)).toBe(false);
  });
});

test('a folder of something else is left alone', async () => {
  await mkdir(directory);
  await writeFile(join(directory, 'thesis.tex'), 'mine');
  expect(await run(newer)).toMatchObject({ exitCode: 1, output: expect.stringContaining('thesis.tex') });
  expect(await contents()).toMatch(/^\S+ {2}\.\/thesis\.tex\n$/);
});

test('waits for nobody: while a command of the kit or an update is at work there, it says so', async () => {
  expect(await run(older)).toMatchObject({ exitCode: 0 });
  const lock = join(directory, '.kit/lock');
  const holder = $({ quiet: true, nothrow: true })`flock ${lock} sleep 600`;
  try {
    await expect
      .poll(() => $({ quiet: true, nothrow: true })`flock -n ${lock} true`.exitCode, { timeout: 20_000 })
      .toBe(1);
    expect(await run(newer)).toMatchObject({ exitCode: 1, output: expect.stringContaining('at work') });
  } finally {
    await holder.kill();
  }
  const update = { pid: process.pid, hostname: 'here', timestamp: 'now' };
  await writeFiles(directory, { '.kit/state/.pulumi/locks/x/local/1.json': JSON.stringify(update) });
  expect(await run(newer)).toMatchObject({ exitCode: 1, output: expect.stringContaining(`process ${process.pid}`) });
  expect(await read('infra/index.ts')).toBe('older');
});

test('can be looked into and checked without installing', async () => {
  expect(await run(newer, { args: ['--verify'] })).toMatchObject({
    exitCode: 0,
    output: expect.stringContaining('Whole'),
  });
  expect(await run(newer, { args: ['--contents'] })).toMatchObject({
    exitCode: 0,
    output: expect.stringContaining('program.tar.zst'),
  });
  expect(await run(newer, { args: ['--nonsense'] })).toMatchObject({ exitCode: 2 });
  expect(existsSync(directory)).toBe(false);
});
