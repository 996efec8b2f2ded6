import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';

export interface CommandOptions {
  readonly cwd?: string;
  readonly signal: AbortSignal;
}

/** A program that ended with something else than 0. `said` is what it wrote to standard error. */
export class CommandFailed extends Error {
  override name = 'CommandFailed';
  readonly said: string;

  constructor(command: readonly string[], ending: string, said: string) {
    const lastLines = said.trim().split('\n').slice(-8).join('\n');
    super(`${basename(command[0] ?? '')} ended with ${ending}:\n${lastLines}`);
    this.said = said;
  }
}

/** Runs a program and returns what it wrote to standard output. English messages, so that they can be recognised. */
export async function run(command: readonly [string, ...string[]], options: CommandOptions): Promise<string> {
  const [program, ...args] = command;
  const child = spawn(program, args, { ...options, env: plainEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, said, ending] = await Promise.all([text(child.stdout), text(child.stderr), ended(child)]);
  if (ending !== 'exit code 0') throw new CommandFailed(command, ending, said || output);
  return output;
}

/** Runs two programs, the output of the first being the input of the second. */
export async function pipe(
  from: readonly [string, ...string[]],
  into: readonly [string, ...string[]],
  options: CommandOptions,
): Promise<void> {
  const source = spawn(from[0], from.slice(1), {
    ...options,
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const sink = spawn(into[0], into.slice(1), {
    ...options,
    env: plainEnvironment(),
    stdio: [source.stdout, 'ignore', 'pipe'],
  });
  // The child has its own copy; ours would keep the source from learning that the sink is gone.
  source.stdout.destroy();
  const [sourceSaid, sinkSaid, sourceEnding, sinkEnding] = await Promise.all([
    text(source.stderr),
    text(sink.stderr),
    ended(source),
    ended(sink),
  ]);
  // First the sink: when it fails, the source fails too, for want of a reader.
  if (sinkEnding !== 'exit code 0') throw new CommandFailed(into, sinkEnding, sinkSaid);
  if (sourceEnding !== 'exit code 0') throw new CommandFailed(from, sourceEnding, sourceSaid);
}

function ended(child: ReturnType<typeof spawn>): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

function plainEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C.UTF-8', LANGUAGE: 'C', DEBIAN_FRONTEND: 'noninteractive' };
}

/** Whether an error of a program or of Node.js comes from a full disk. */
export function isDiskFull(error: unknown): boolean {
  if (error instanceof CommandFailed) return /no space left on device/i.test(error.said);
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
