import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { acquireLock, type LockHolder } from '../../../scripts/setup/lock.mjs';
import { temporaryFolder, until } from './folder.ts';

const program = new URL('../../../scripts/setup/lock.mjs', import.meta.url).href;
const never = new AbortController().signal;

/** Another process that holds the lock until it is killed. */
async function otherHolder(path: string): Promise<ChildProcess> {
  const script = `
    import { acquireLock } from ${JSON.stringify(program)};
    await acquireLock(${JSON.stringify(path)}, { command: 'npm run up', onWait() {}, signal: new AbortController().signal });
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

function acquire(path: string, signal = never) {
  const waits: (LockHolder | undefined)[] = [];
  const acquired = acquireLock(path, { command: 'npm test', signal, onWait: (holder) => waits.push(holder) });
  return { acquired, waits };
}

describe('the lock', () => {
  it('is had at once where nobody holds it, and again after it was given back', async () => {
    const path = join(temporaryFolder(), 'lock');
    for (let round = 0; round < 2; round += 1) {
      const { acquired, waits } = acquire(path);
      const { release } = await acquired;
      expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid, command: 'npm test' });
      release();
      expect(waits).toEqual([]);
    }
  });

  it('is waited for, and says who holds it; a holder that was killed holds it no longer', async () => {
    const path = join(temporaryFolder(), 'lock');
    const holder = await otherHolder(path);
    const { acquired, waits } = acquire(path);
    await until('we wait', () => waits.length > 0);
    expect(waits).toEqual([expect.objectContaining({ pid: holder.pid, command: 'npm run up' })]);
    let had = false;
    const done = acquired.then(({ release }) => {
      had = true;
      release();
    });
    expect(had).toBe(false);
    holder.kill('SIGKILL');
    await done;
    expect(had).toBe(true);
  });

  it('is not held by the processes that its holder starts', async () => {
    const path = join(temporaryFolder(), 'lock');
    const { release } = await acquire(path).acquired;
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    onTestFinished(() => void child.kill());
    release();
    const { acquired, waits } = acquire(path);
    (await acquired).release();
    expect(waits).toEqual([]);
  });

  it('is held on by a process that is given its file, when the holder itself is gone', async () => {
    const path = join(temporaryFolder(), 'lock');
    const { file, release } = await acquire(path).acquired;
    const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', file] });
    onTestFinished(() => void child.kill());
    release();
    const { acquired, waits } = acquire(path);
    await until('we wait', () => waits.length > 0);
    child.kill();
    (await acquired).release();
  });

  it('is waited for no longer than the person wants', async () => {
    const path = join(temporaryFolder(), 'lock');
    await otherHolder(path);
    const controller = new AbortController();
    const { acquired, waits } = acquire(path, controller.signal);
    const outcome = acquired.catch((error: unknown) => error);
    await until('we wait', () => waits.length > 0);
    controller.abort(new Error('enough'));
    expect(await outcome).toEqual(new Error('enough'));
  });
});
