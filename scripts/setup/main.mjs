import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { demandWholeInstallation } from './bundle.mjs';
import { exitCodeOf, handOver, interruption, ToolError } from './child-process.mjs';
import { asksForHelp, commands, usage } from './commands.mjs';
import { kitEnvironment, shellLine } from './environment.mjs';
import { openKit } from './kit.mjs';
import { createProgress } from './progress.mjs';
import { remedyFor } from './remedy.mjs';
import { Interrupted, SetupError } from './setup-error.mjs';
import { ensureSteps, StepFailed } from './step-runner.mjs';

/**
 * @import { Command } from './commands.mjs'
 * @import { Kit } from './kit.mjs'
 */

const exitCode = { done: 0, failed: 1, misused: 2 };

/**
 * Puts in place what a command needs, then runs it. All that people read meanwhile goes to standard error: standard
 * output belongs to the command.
 *
 * @param {readonly string[]} argv  command and its arguments
 * @param {string} root  the checkout
 * @returns {Promise<number>} exit code
 */
export async function main([name, ...args], root) {
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (name === undefined || command === undefined) {
    const asked = name === undefined || asksForHelp([name]);
    (asked ? process.stdout : process.stderr).write(`${asked ? '' : `There is no command ${name}.\n\n`}${usage}\n`);
    return asked ? exitCode.done : exitCode.misused;
  }
  const kit = openKit(root, process.env);
  const { signal, stop } = interruption();
  try {
    const ready = await setUp(kit, name, command.needs(args, root), signal);
    if (command.runs[0] === 'nothing') process.stdout.write(`In place: ${ready}\n`);
  } catch (error) {
    process.stderr.write(`\n${explanation(kit, error)}\n`);
    // Whoever counts tests must see that there is nothing to count.
    if (name === 'test') process.stdout.write('0 passed, 1 failed\n');
    return error instanceof Interrupted ? exitCodeOf(error.signal) : exitCode.failed;
  } finally {
    stop();
  }
  return follow(kit, command, args);
}

/**
 * @param {Kit} kit
 * @param {string} name
 * @param {readonly import('./step-runner.mjs').Step[]} steps
 * @param {AbortSignal} signal
 * @returns {Promise<string>} what is in place
 */
async function setUp(kit, name, steps, signal) {
  if (process.platform !== 'linux') {
    throw new SetupError(`The kit runs on Linux, and this is ${process.platform}`, {
      remedy: 'Use a Linux machine, or a virtual one.',
    });
  }
  demandWholeInstallation(kit);
  const progress = createProgress(process.stderr, { live: isWatched() });
  try {
    const found = await ensureSteps(steps, { kit, progress, signal, command: `npm run ${name}` });
    return [...found].map(([step, words]) => `${step} ${words}`).join(' · ');
  } finally {
    progress.close();
  }
}

/** Whether standard error is a terminal that can redraw lines. */
function isWatched() {
  const { CI, TERM } = process.env;
  return process.stderr.isTTY === true && !CI && TERM !== 'dumb';
}

/**
 * @param {Kit} kit
 * @param {Command} command
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
async function follow(kit, { runs: [kind, script] }, args) {
  switch (kind) {
    case 'nothing':
      return exitCode.done;
    case 'shell line':
      process.stdout.write(`${shellLine(kit, args.includes('--fish') ? 'fish' : 'posix')}\n`);
      return exitCode.done;
    case 'pulumi':
      return handOver(join(kit.bin, 'pulumi'), args, { env: kitEnvironment(kit), cwd: process.cwd() });
    case 'script':
      return handOver(join(kit.bin, 'node'), [script, ...args], {
        env: kitEnvironment(kit),
        cwd: kit.root,
      });
  }
}

/**
 * What failed, what its tool said at the end, and what to do.
 *
 * @param {Kit} kit
 * @param {unknown} error
 * @returns {string}
 */
export function explanation(kit, error) {
  if (error instanceof Interrupted) return 'Interrupted. Run the same command again to go on from here.';
  if (error instanceof SetupError) return `${error.message}\n→ ${error.remedy.replaceAll('\n', '\n  ')}`;
  if (!(error instanceof StepFailed)) return error instanceof Error ? (error.stack ?? error.message) : String(error);

  const { cause, log } = error;
  const where = existsSync(log) ? [`The whole log: ${relative(kit.root, log)}`] : [];
  if (cause instanceof SetupError) return `${error.step}: ${explanation(kit, cause)}`;
  if (cause instanceof ToolError) {
    const tail = cause.tail.map((line) => `  │ ${line}`);
    return [
      `${error.step}: ${cause.message}`,
      ...tail,
      ...where,
      `→ ${remedyFor([cause.message, ...cause.tail])}`,
    ].join('\n');
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  return [`${error.step}: ${message}`, ...where, `→ ${remedyFor([message])}`].join('\n');
}
