import { accessSync, constants, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { reasons } from '../report.ts';
import { runTool } from '../setup/child-process.mjs';

export type Hook = 'before-deploy' | 'after-deploy' | 'deploy-failed' | 'after-rollback';

/** What a hook is told; each becomes `CONVERSATION_KIT_<NAME>`. Never a secret: hooks are for telling others. */
export interface HookFacts {
  readonly stack: string;
  readonly deploy: string;
  readonly who: string;
  readonly machine: string;
  /** Empty where nothing served before. */
  readonly from: string;
  /** The release that serves; empty before the deploy. */
  readonly to: string;
  readonly commit: string;
  readonly verdict: string;
  readonly reason: string;
  readonly seconds: string;
}

const patience = 60_000;

/** What programs need to run at all. All else of our environment stays with us: tokens and passphrases are in it. */
const passedOn = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|TERM)$/;

export function hookEnvironment(facts: HookFacts, environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(environment).flatMap(([name, value]) =>
    value !== undefined && passedOn.test(name) ? [[name, value] as const] : [],
  );
  const told = Object.entries(facts).map(
    // The system refuses to start a program with a variable beyond 128 KiB.
    ([name, value]) => [`CONVERSATION_KIT_${name.toUpperCase()}`, value.slice(0, 4000)] as const,
  );
  return Object.fromEntries([...kept, ...told]);
}

/**
 * Runs a hook of the project, where there is one, with its lines on standard error. Throws with what it said when it
 * fails or takes longer than a minute. Returns whether there was one.
 */
export async function runHook(
  hook: Hook,
  facts: HookFacts,
  signal: AbortSignal,
  directory = 'hooks',
): Promise<boolean> {
  const program = resolve(directory, hook);
  if (!isExecutable(program)) return false;
  const logs = join('.kit', 'logs');
  mkdirSync(logs, { recursive: true });
  await runTool(program, [], {
    log: join(logs, `hook-${hook}.log`),
    signal,
    env: hookEnvironment(facts, process.env),
    cwd: process.cwd(),
    timeout: patience,
    onLine: (line) => console.error(`  ${line}`),
  });
  return true;
}

/** Runs a hook where nothing is left that it could change: its failure is told on standard error, and goes no further. */
export async function runLastHook(hook: Hook, facts: HookFacts): Promise<void> {
  try {
    await runHook(hook, facts, new AbortController().signal);
  } catch (error) {
    console.error(`The hook ${hook} failed: ${reasons(error)}`);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw new Error(`${path} can't be run. Make it executable (chmod +x ${path}), or remove it.`, { cause: error });
  }
}
