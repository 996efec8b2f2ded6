import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { baseImageReference } from '../../../images/base/reference.ts';
import { docker, workbench } from './hardened.ts';

const program = join(import.meta.dirname, '../../../images/base/ensure.ts');
const workspaces = join(import.meta.dirname, '../../../.kit/images');
const building = () => readdirSync(workspaces).filter((name) => name.startsWith('base-in-progress-'));

function ensure(args: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, ...environment } });
  const done = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]).then(
    ([stdout, stderr, [exitCode]]) => ({ stdout, stderr, exitCode }),
  );
  return { child, done };
}

describe('the base image', () => {
  const bench = workbench();
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conversation-kit-test-'));
  });
  afterEach(async () => {
    await bench.clean();
    await rm(folder, { recursive: true });
  });

  test('is found by its reference and not built again', async () => {
    const { done } = ensure(['--json']);
    const { stdout, stderr, exitCode } = await done;
    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    const { Id } = await docker.getImage(baseImageReference()).inspect();
    expect(JSON.parse(stdout)).toMatchObject({ reference: baseImageReference(), id: Id });
  });

  test('stays below 300 MB and holds no way to gain privileges', async () => {
    const reference = baseImageReference();
    const { Size } = await docker.getImage(reference).inspect();
    expect(Size / 1e6).toBeLessThan(300);
    const started = await bench.start(reference, { command: ['sleep', '60'] });
    const { output } = await started.run('busybox', 'find', '/usr', '-perm', '/6000');
    expect(output).toBe('');
  });

  test('leaves nothing behind when its build is interrupted, and the earlier image as it was', async () => {
    const before = await docker.getImage(baseImageReference()).inspect();
    const { child, done } = ensure(['--rebuild']);
    await vi.waitFor(() => expect(building().some((name) => name.includes(`-${child.pid}-`))).toBe(true), 20_000);
    child.kill('SIGINT');
    const { stderr, exitCode } = await done;
    expect(stderr).toContain('Interrupted: nothing of the base image was kept.');
    expect(exitCode).toBe(130);
    expect(building().filter((name) => name.includes(`-${child.pid}-`))).toEqual([]);
    expect((await docker.getImage(baseImageReference()).inspect()).Id).toBe(before.Id);
  });

  test('clears up after a build that was killed', async () => {
    const { child, done } = ensure(['--rebuild']);
    await vi.waitFor(() => expect(building().some((name) => name.includes(`-${child.pid}-`))).toBe(true), 20_000);
    child.kill('SIGKILL');
    await done;
    const next = ensure(['--rebuild'], { KIT_BASE_SOURCES: join(folder, 'none.sources') });
    await next.done;
    expect(building().filter((name) => name.includes(`-${child.pid}-`))).toEqual([]);
  });

  test.each([
    [
      'an archive that does not answer',
      'deb [trusted=yes] http://127.0.0.1:9/debian bookworm main\n',
      'did not deliver',
    ],
    ['an archive without the servers', 'deb [trusted=yes] file:FOLDER ./\n', 'has no package'],
  ])('says what to do about %s', async (_what, line, words) => {
    const sources = join(folder, 'test.list');
    await writeFile(join(folder, 'Packages'), '');
    await writeFile(sources, line.replace('FOLDER', folder));
    const { stderr, exitCode } = await ensure(['--rebuild'], { KIT_BASE_SOURCES: sources }).done;
    expect(stderr).toContain(words);
    expect(exitCode).toBe(1);
  });

  test('says what to do when no engine answers', async () => {
    const { done } = ensure(['--check'], { DOCKER_HOST: `unix://${folder}/none.sock` });
    const { stderr, exitCode } = await done;
    expect(stderr).toContain('No Docker engine answers');
    expect(stderr).toContain('DOCKER_HOST');
    expect(exitCode).toBe(1);
  });
});
