import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { Interrupted } from './setup-error.mjs';

const tailLines = 15;
const errorLines = 5;

/** A tool that did not do what it was asked to; `tail` is what it printed last, after its first errors. */
export class ToolError extends Error {
  /** @override */
  name = 'ToolError';

  /**
   * @param {string} message
   * @param {{ tail: readonly string[], log: string, cause?: unknown }} details
   */
  constructor(message, { tail, log, cause }) {
    super(message, { cause });
    this.tail = tail;
    this.log = log;
  }
}

/**
 * @typedef {object} ToolOptions
 * @property {string} log  file that gets everything the tool prints
 * @property {AbortSignal} signal  ends the tool and all that it has started
 * @property {NodeJS.ProcessEnv} env
 * @property {string} cwd
 * @property {(line: string) => void} [onLine]  each line it prints
 * @property {number} [timeout]  milliseconds until it is ended
 * @property {NodeJS.Signals} [stopSignal]  how it is asked to end before its time
 * @property {number} [grace]  milliseconds that it gets between being asked to end and being killed
 */

/**
 * Runs a tool to its end. It gets no input, and a process group of its own: when it has to end, so do its children.
 * Rejects with a {@link ToolError}, or with the signal's reason.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {ToolOptions} options
 * @returns {Promise<void>}
 */
export function runTool(command, args, options) {
  const { log, signal, env, cwd, onLine, timeout, stopSignal = 'SIGTERM', grace = 3000 } = options;
  signal.throwIfAborted();
  const title = [command, ...args].join(' ');
  const file = openSync(log, 'a');
  writeSync(file, `$ ${title}\n`);
  const said = new LastWords();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    /** @type {unknown} */
    let ending;
    /** @type {NodeJS.Timeout[]} */
    const timers = [];
    /** @param {unknown} reason */
    const end = (reason) => {
      if (ending !== undefined) return;
      ending = reason;
      signalGroup(child.pid, stopSignal);
      timers.push(setTimeout(() => signalGroup(child.pid, 'SIGKILL'), grace));
    };
    const onAbort = () => end(signal.reason);
    signal.addEventListener('abort', onAbort);
    if (timeout !== undefined) {
      timers.push(setTimeout(() => end(failure(`did not end within ${timeout / 1000} s`)), timeout));
    }
    /**
     * @param {string} what
     * @param {unknown} [cause]
     */
    const failure = (what, cause) => new ToolError(`${title} ${what}`, { tail: said.lines(), log, cause });
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      for (const timer of timers) clearTimeout(timer);
      closeSync(file);
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => writeSync(file, chunk));
      eachLine(stream, (line) => {
        said.add(line);
        onLine?.(line);
      });
    }
    child.on('error', (cause) => {
      if (child.pid !== undefined) return; // it runs; 'close' follows
      settle();
      reject(failure('could not be started', cause));
    });
    child.on('close', (code, killedBy) => {
      if (child.pid === undefined) return; // it never ran; 'error' has said so
      settle();
      if (ending !== undefined) reject(ending);
      else if (code === 0) resolve();
      else reject(failure(killedBy ? `was ended by ${killedBy}` : `failed with exit code ${code}`));
    });
  });
}

/**
 * A short question to a tool: what it prints on standard output; undefined when it is not there, fails or takes too long.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env: NodeJS.ProcessEnv, cwd?: string, timeout?: number }} options
 * @returns {Promise<string | undefined>}
 */
export function askTool(command, args, { env, cwd, timeout = 10_000 }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      env,
      timeout,
      stdio: ['ignore', 'pipe', 'ignore'],
      ...(cwd === undefined ? {} : { cwd }),
    });
    let answer = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    child.on('error', () => resolve(undefined));
    child.on('close', (code) => resolve(code === 0 ? answer.trim() : undefined));
  });
}

/**
 * Hands the terminal to a program and waits for it. Returns the exit code that a shell would report.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env: NodeJS.ProcessEnv, cwd: string }} options
 * @returns {Promise<number>}
 */
export function handOver(command, args, { env, cwd }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd, stdio: 'inherit' });
    // Ctrl-C in a terminal reaches the program by itself, and Pulumi takes a second one as "stop without cleaning up".
    const onInterrupt = () => {
      if (!process.stdin.isTTY) child.kill('SIGINT');
    };
    const onTerminate = () => void child.kill('SIGTERM');
    const onHangup = () => void child.kill('SIGHUP');
    process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate).on('SIGHUP', onHangup);
    const settle = () => process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate).off('SIGHUP', onHangup);
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    child.on('close', (code, signal) => {
      settle();
      resolve(code ?? exitCodeOf(signal ?? 'SIGTERM'));
    });
  });
}

/**
 * Aborts with {@link Interrupted} on Ctrl-C, SIGTERM or a closed terminal, until `stop` is called.
 *
 * @returns {{ signal: AbortSignal, stop: () => void }}
 */
export function interruption() {
  const controller = new AbortController();
  /** @param {NodeJS.Signals} signal */
  const onSignal = (signal) => controller.abort(new Interrupted(signal));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
  const stop = () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onSignal);
  return { signal: controller.signal, stop };
}

/**
 * What a shell reports for a program that a signal has ended.
 *
 * @param {NodeJS.Signals} signal
 */
export function exitCodeOf(signal) {
  return 128 + (constants.signals[signal] ?? 0);
}

/** The end of what a tool prints, and its first errors: some print pages of advice after them. */
export class LastWords {
  /** @type {string[]} */
  #errors = [];
  /** @type {string[]} */
  #tail = [];

  /** @param {string} line */
  add(line) {
    this.#tail.push(line);
    if (this.#tail.length <= tailLines) return;
    const dropped = this.#tail.shift() ?? '';
    if (this.#errors.length < errorLines && /\berror\b.*\w/i.test(dropped)) this.#errors.push(dropped);
  }

  lines() {
    return this.#errors.length > 0 ? [...this.#errors, '…', ...this.#tail] : [...this.#tail];
  }
}

/**
 * @param {number | undefined} pid
 * @param {NodeJS.Signals} signal
 */
function signalGroup(pid, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error; // gone already: good
  }
}

/**
 * Calls back for each line; progress bars that redraw theirs with carriage returns count as lines, too.
 *
 * @param {import('node:stream').Readable} stream
 * @param {(line: string) => void} callback
 */
function eachLine(stream, callback) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk) => {
    const lines = (rest + chunk).split(/[\r\n]+/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim()) callback(line);
  });
  stream.on('end', () => {
    if (rest.trim()) callback(rest);
  });
}
