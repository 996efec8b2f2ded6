import { spawn, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { SetupError } from './setup-error.mjs';

/**
 * @typedef {object} LockHolder
 * @property {number} pid
 * @property {string} command
 * @property {string} since  ISO time
 */

/**
 * Takes the lock, waiting for whoever holds it. The kernel keeps it (flock), bound to our open file: it ends with this
 * process, however that dies, so there is never a stale one to break. Children do not inherit it; one that is given
 * `file` holds the lock as long as it runs.
 *
 * @param {string} path
 * @param {object} options
 * @param {string} options.command  what the next one who waits is told
 * @param {(holder: LockHolder | undefined) => void} options.onWait  called once, when it is taken
 * @param {AbortSignal} options.signal  ends the waiting
 * @returns {Promise<{ file: number, release: () => void }>} the open file, and what gives the lock back
 */
export async function acquireLock(path, { command, onWait, signal }) {
  const file = openSync(path, 'a+');
  try {
    if (!tryLock(file)) {
      onWait(readHolder(path));
      await waitForLock(file, signal);
    }
    ftruncateSync(file);
    writeSync(file, JSON.stringify({ pid: process.pid, command, since: new Date().toISOString() }));
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return { file, release: () => closeSync(file) };
}

/**
 * `flock 3` locks the open file that it shares with us as its descriptor 3, and leaves; the lock stays with us.
 *
 * @param {number} file
 */
function tryLock(file) {
  const { status, error } = spawnSync('flock', ['--exclusive', '--nonblock', '3'], {
    stdio: ['ignore', 'ignore', 'inherit', file],
  });
  if (error) throw noFlock(error);
  return status === 0;
}

/**
 * @param {number} file
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function waitForLock(file, signal) {
  return new Promise((resolve, reject) => {
    const waiting = spawn('flock', ['--exclusive', '3'], { stdio: ['ignore', 'ignore', 'inherit', file] });
    const stop = () => waiting.kill();
    signal.addEventListener('abort', stop);
    waiting.on('error', (error) => reject(noFlock(error)));
    waiting.on('close', (code) => {
      signal.removeEventListener('abort', stop);
      if (code === 0) resolve();
      else reject(signal.aborted ? signal.reason : new Error(`flock ended with code ${code}`));
    });
    if (signal.aborted) stop();
  });
}

/** @param {Error} cause */
function noFlock(cause) {
  return new SetupError('The flock command is missing: it keeps two runs from getting in each other’s way', {
    remedy: 'Install the package util-linux.',
    cause,
  });
}

/**
 * @param {string} path
 * @returns {LockHolder | undefined} undefined while the holder has not written yet
 */
function readHolder(path) {
  try {
    const { pid, command, since } = JSON.parse(readFileSync(path, 'utf8'));
    return { pid: Number(pid), command: String(command), since: String(since) };
  } catch {
    return undefined; // it says who it is right after it has the lock; this was in between
  }
}
