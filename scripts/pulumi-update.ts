import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { $ } from 'zx';
import { removeStaleLock } from './stale-lock.ts';

export interface UpdateOptions {
  /** Where the program and its `Pulumi.<stack>.yaml` are. Default: this checkout. */
  readonly directory?: string | undefined;
  /** What the history says about the update. */
  readonly message?: string | undefined;
  /** Asks Pulumi to end tidily: what it is doing is finished or given up, its lock is given back. */
  readonly signal?: AbortSignal | undefined;
  /** An open file that is to stay open as long as the update runs, even if we are killed: a lock on it lasts as long. */
  readonly holding?: number | undefined;
}

/**
 * Updates the stack, Pulumi's own report on standard error. Throws when it failed, with the signal's reason when that
 * ended it. The one place where an update is run for people.
 */
export async function pulumiUp(stack: string, options: UpdateOptions = {}): Promise<void> {
  await removeStaleLock(stack);
  yieldProcessor();
  const events = eventFile(stack);
  const code = await run([...upCommand(stack, options.message), '--event-log', events], options);
  options.signal?.throwIfAborted();
  if (code !== 0) {
    throw new Error(
      `Stack ${stack} was not updated: ${complaintsIn(events) ?? 'what says why is above.'}\n` +
        `Mend it and run the same command again. What serves now: npm run health -- --stack ${stack}`,
    );
  }
}

/** Where Pulumi notes, event by event, what an update does; secrets are masked in it. */
function eventFile(stack: string): string {
  const logs = resolve('.kit', 'logs');
  mkdirSync(logs, { recursive: true });
  const file = join(logs, `update-${stack}.jsonl`);
  rmSync(file, { force: true });
  return file;
}

const event = z.object({ diagnosticEvent: z.object({ message: z.string(), severity: z.string() }).optional() });

/** Undefined also for a line that is torn, as the last one is where Pulumi was killed. */
function diagnosticIn(line: string): z.output<typeof event>['diagnosticEvent'] {
  try {
    return event.parse(JSON.parse(line)).diagnosticEvent;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What Pulumi complained of in an update; undefined where it came to nothing that it would note. */
function complaintsIn(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const complaints = lines.flatMap((line) => {
    const diagnosticEvent = diagnosticIn(line);
    // Colours are written as <{%name%}>.
    return diagnosticEvent?.severity === 'error' ? [diagnosticEvent.message.replace(/<\{%.*?%\}>/g, '').trim()] : [];
  });
  const told = [...new Set(complaints)].filter((complaint) => complaint !== 'update failed');
  return told.length === 0 ? undefined : told.join('\n');
}

/** Shows in Pulumi's words what an update would do, on standard error. */
export async function showPulumiPreview(stack: string, options: UpdateOptions = {}): Promise<void> {
  await removeStaleLock(stack);
  yieldProcessor();
  const code = await run(['preview', '--diff', '--non-interactive', '-s', stack], options);
  options.signal?.throwIfAborted();
  if (code !== 0) throw new Error(`The changes of stack ${stack} could not be shown; what says why is above.`);
}

/**
 * From here on this process, and what it starts, leaves the processor to whoever else wants it: on a box of its own, an
 * update shares that with the service it updates. There is no way back, for who is not root.
 */
function yieldProcessor(): void {
  const niceness = constants.priority.PRIORITY_BELOW_NORMAL;
  if (getPriority() < niceness) setPriority(niceness);
}

function upCommand(stack: string, message: string | undefined): string[] {
  const said = message === undefined ? [] : ['--message', message];
  return ['up', '--yes', '--skip-preview', '--suppress-outputs', '--non-interactive', ...said, '-s', stack];
}

const state = z.object({ type: z.string(), inputs: z.record(z.string(), z.unknown()).optional() });
const step = z.object({
  op: z.string(),
  urn: z.string(),
  oldState: state.optional(),
  newState: state.optional(),
  diffReasons: z.array(z.string()).optional(),
  replaceReasons: z.array(z.string()).optional(),
});
const preview = z.object({ steps: z.array(step).default([]) });
const diagnostics = z.object({ diagnostics: z.array(z.object({ message: z.string(), severity: z.string() })) });

/** One thing that an update would do to a resource. */
export type PreviewedStep = z.output<typeof step>;

/** What an update would do. Secrets are masked. Throws with the program's complaints when it can't be known. */
export async function pulumiPreview(
  stack: string,
  { directory, signal }: Pick<UpdateOptions, 'directory' | 'signal'> = {},
): Promise<PreviewedStep[]> {
  await removeStaleLock(stack);
  yieldProcessor();
  const command = $({
    quiet: true,
    nothrow: true,
    ...(directory ? { cwd: directory } : {}),
    ...(signal ? { signal } : {}),
  });
  const shown = await command`pulumi preview --json --non-interactive -s ${stack}`;
  signal?.throwIfAborted();
  if (shown.exitCode !== 0) {
    throw new Error(`What an update of stack ${stack} would change can't be known:\n${complaints(shown)}`);
  }
  return preview.parse(JSON.parse(shown.stdout)).steps;
}

/** The program's errors; where there are none to be found, all that Pulumi said. */
function complaints({ stdout, stderr }: { stdout: string; stderr: string }): string {
  try {
    const errors = diagnostics.parse(JSON.parse(stdout)).diagnostics.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) return errors.map(({ message }) => message.trim()).join('\n');
  } catch {
    // It failed before it had something to say in JSON; then it said it in words.
  }
  return `${stdout}${stderr}`.trim();
}

/**
 * A shell that keeps the file open as long as Pulumi runs. Pulumi itself must not have it: it would hand it on to its
 * plugins, and those outlive a Pulumi that is killed by minutes.
 */
const keepOpen = 'trap : INT TERM; "$@" 3>&-; exit $?';

/** Runs Pulumi in a process group of its own: a Ctrl-C reaches it once, from us. */
function run(args: readonly string[], { directory, signal, holding }: UpdateOptions): Promise<number | null> {
  signal?.throwIfAborted();
  const [command, ...rest] = holding === undefined ? ['pulumi'] : ['sh', '-c', keepOpen, 'sh', 'pulumi'];
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...rest, ...args], {
      cwd: directory,
      env: { ...process.env, PULUMI_DEBUG_COMMANDS: 'true' }, // it has --event-log only then
      detached: true,
      stdio: ['ignore', 2, 2, ...(holding === undefined ? [] : [holding])],
    });
    const interrupt = () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
    };
    signal?.addEventListener('abort', interrupt);
    child.on('error', (cause) => reject(new Error('pulumi could not be started', { cause })));
    child.on('close', (code) => {
      signal?.removeEventListener('abort', interrupt);
      resolve(code);
    });
  });
}
