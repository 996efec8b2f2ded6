import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { askTool, runTool, ToolError } from '../../../scripts/setup/child-process.mjs';
import { isRunning, temporaryFolder, until } from './folder.ts';

const never = new AbortController().signal;
const options = (folder: string, signal = never) => ({
  log: join(folder, 'log'),
  signal,
  env: process.env,
  cwd: folder,
});
const sh = (script: string, given: ReturnType<typeof options>, more = {}) =>
  runTool('sh', ['-c', script], { ...given, ...more });

describe('a tool', () => {
  it('leaves all that it prints in its log, and each line with whoever watches', async () => {
    const given = options(temporaryFolder());
    const lines: string[] = [];
    await sh('echo one; echo two >&2; printf "10%%\\r20%%\\r"', given, { onLine: (line: string) => lines.push(line) });
    expect(readFileSync(given.log, 'utf8')).toMatch(/^\$ sh -c .*\n(?=[\s\S]*one)(?=[\s\S]*two)/);
    expect(lines.sort()).toEqual(['10%', '20%', 'one', 'two']);
  });

  it('gets no input: one that asks does not hang', async () => {
    await sh('cat', options(temporaryFolder()));
  });

  it('that fails says with what, and with its last words', async () => {
    const failed = sh('echo broken pipe dream; exit 3', options(temporaryFolder()));
    await expect(failed).rejects.toThrow(ToolError);
    await expect(failed).rejects.toThrow(/failed with exit code 3$/);
    await expect(failed).rejects.toMatchObject({ tail: ['broken pipe dream'] });
  });

  it('that is not there says so', async () => {
    const failed = runTool('no-such-tool', ['--version'], options(temporaryFolder()));
    await expect(failed).rejects.toThrow('no-such-tool --version could not be started');
  });

  it('is ended with all that it has started, when we are stopped', async () => {
    const folder = temporaryFolder();
    const controller = new AbortController();
    const pids: number[] = [];
    const running = sh('sleep 60 & echo $!; echo $$; wait', options(folder, controller.signal), {
      onLine: (line: string) => pids.push(Number(line)),
    });
    const outcome = running.catch((error: unknown) => error);
    await until('it runs', () => pids.length === 2);
    expect(pids.map(isRunning)).toEqual([true, true]);
    controller.abort(new Error('stop'));
    expect(await outcome).toEqual(new Error('stop'));
    await until('both have ended', () => !pids.some(isRunning));
  });

  it('that does not want to end is killed', async () => {
    const controller = new AbortController();
    const started = Promise.withResolvers<void>();
    const running = sh(
      'trap "" TERM; echo ready; while :; do sleep 0.1; done',
      options(temporaryFolder(), controller.signal),
      {
        onLine: () => started.resolve(),
        grace: 200,
      },
    );
    const outcome = running.catch((error: unknown) => error);
    await started.promise;
    controller.abort(new Error('stop'));
    expect(await outcome).toEqual(new Error('stop'));
  });

  it('that takes too long is ended', async () => {
    const slow = sh('sleep 60', options(temporaryFolder()), { timeout: 100 });
    await expect(slow).rejects.toThrow(/did not end within 0.1 s/);
  });

  it('is not started any more after we were stopped', async () => {
    const given = options(temporaryFolder(), AbortSignal.abort(new Error('stop')));
    expect(() => sh('echo late', given)).toThrow('stop');
  });
});

describe('a question to a tool', () => {
  it('has its answer, or none', async () => {
    const { env } = process;
    expect(await askTool('sh', ['-c', 'echo v1.2.3'], { env })).toBe('v1.2.3');
    expect(await askTool('sh', ['-c', 'echo v1.2.3; exit 1'], { env })).toBeUndefined();
    expect(await askTool('no-such-tool', [], { env })).toBeUndefined();
    expect(await askTool('sleep', ['60'], { env, timeout: 50 })).toBeUndefined();
  });
});
