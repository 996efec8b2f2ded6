import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isRunning, temporaryFolder, until } from './folder.ts';

const checkout = fileURLToPath(new URL('../../..', import.meta.url));

/** A checkout with the real set-up, no packages, a command that shows what it gets, and an npm that does as told. */
function smallCheckout(npm: string): string {
  const root = temporaryFolder();
  for (const path of ['scripts/bootstrap.mjs', 'scripts/setup', 'toolchain']) {
    cpSync(join(checkout, path), join(root, path), { recursive: true });
  }
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(root, 'package-lock.json'), '{ "packages": {} }');
  writeFileSync(
    join(root, 'scripts', 'check.ts'),
    `const shown: unknown = { args: process.argv.slice(2), home: process.env.PULUMI_HOME, node: process.execPath };
     console.log(JSON.stringify(shown));
     process.exit(7);`,
  );
  setNpm(root, npm);
  return root;
}

function setNpm(root: string, script: string): void {
  mkdirSync(join(root, 'bin'), { recursive: true });
  writeFileSync(join(root, 'bin', 'npm'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

const installs = 'mkdir -p node_modules && echo \'{ "packages": {} }\' >node_modules/.package-lock.json';

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function start(root: string, ...args: string[]): Run {
  const env = { PATH: `${join(root, 'bin')}:${process.env.PATH}`, HOME: root, CI: 'true' };
  const child = spawn(process.execPath, [join(root, 'scripts', 'bootstrap.mjs'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  );
  return { child, ended };
}

async function untilFileHasPid(file: string): Promise<number> {
  await until(`${file} is written`, () => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'));
  return Number(readFileSync(file, 'utf8'));
}

describe('the entry to every command', () => {
  it('lists the commands, and knows no other', async () => {
    const root = smallCheckout('exit 1');
    for (const args of [['--help'], []]) {
      const { code, stdout } = await start(root, ...args).ended;
      expect(code).toBe(0);
      expect(stdout).toMatch(/^ {2}up +deploy the stack/m);
    }
    for (const name of ['launch', 'constructor']) {
      const { code, stderr } = await start(root, name).ended;
      expect(code).toBe(2);
      expect(stderr).toMatch(new RegExp(`^There is no command ${name}\\.`));
    }
    expect(existsSync(join(root, '.kit'))).toBe(false);
  });

  it('sets up, hands over arguments and exit code, and keeps standard output for the command', async () => {
    const root = smallCheckout(installs);
    const first = await start(root, 'check', 'a b', '--flag').ended;
    expect(first.code).toBe(7);
    expect(JSON.parse(first.stdout)).toEqual({
      args: ['a b', '--flag'],
      home: join(root, '.kit', 'pulumi-home'),
      node: process.execPath,
    });
    expect(first.stderr).toContain('✓ 2/2 npm packages: 0 as locked');

    const second = await start(root, 'check').ended;
    expect(second.code).toBe(7);
    expect(second.stderr).toBe('');
  });

  it('says what failed, with its last words, and goes on from there', async () => {
    const root = smallCheckout('echo "npm error getaddrinfo ENOTFOUND registry"; exit 1');
    const failed = await start(root, 'check').ended;
    expect(failed.code).toBe(1);
    expect(failed.stdout).toBe('');
    expect(failed.stderr).toContain('  │ npm error getaddrinfo ENOTFOUND registry');
    expect(failed.stderr).toContain('The whole log: .kit/logs/npm-packages.log');
    expect(failed.stderr).toContain('→ The network did not deliver.');
    setNpm(root, installs);
    const mended = await start(root, 'check').ended;
    expect(mended.code).toBe(7);
    expect(mended.stderr).not.toContain('Node.js');
  });

  it('counts as one failed test where it keeps the tests from running', async () => {
    const { code, stdout } = await start(smallCheckout('exit 1'), 'test', '--project', 'unit').ended;
    expect(code).toBe(1);
    expect(stdout).toBe('0 passed, 1 failed\n');
  });

  it('ends its tools on Ctrl-C, and works when it is run again', async () => {
    const root = smallCheckout('mkdir -p node_modules; echo half >node_modules/half; echo $$ >npm.pid; exec sleep 60');
    const { child, ended } = start(root, 'check');
    const npm = await untilFileHasPid(join(root, 'npm.pid'));
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toContain('Interrupted. Run the same command again');
    expect(isRunning(npm)).toBe(false);
    setNpm(root, installs);
    expect((await start(root, 'check').ended).code).toBe(7);
  });

  it('works after it was killed', async () => {
    const root = smallCheckout('echo $$ >npm.pid; exec sleep 60');
    const { child, ended } = start(root, 'check');
    const npm = await untilFileHasPid(join(root, 'npm.pid'));
    child.kill('SIGKILL');
    process.kill(npm);
    await ended;
    setNpm(root, installs);
    expect((await start(root, 'check').ended).code).toBe(7);
  });

  it('waits for another run on the same checkout', async () => {
    const root = smallCheckout(`echo $$ >npm.pid; while [ ! -e go-on ]; do sleep 0.05; done; ${installs}`);
    const first = start(root, 'check');
    await untilFileHasPid(join(root, 'npm.pid'));
    const second = start(root, 'check');
    await new Promise((resolve) => second.child.stderr?.once('data', resolve));
    writeFileSync(join(root, 'go-on'), '');
    const [one, two] = await Promise.all([first.ended, second.ended]);
    expect([one.code, two.code]).toEqual([7, 7]);
    expect(two.stderr).toMatch(new RegExp(`^Waiting for "npm run check" \\(process ${first.child.pid}, since `));
    expect(two.stderr).not.toContain('npm packages');
  });
});
