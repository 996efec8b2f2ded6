import { $, type ProcessOutput } from 'zx';
import { isSshFailure, sshFailure } from '../ssh/failure.ts';
import { sshTarget } from '../ssh/target.ts';
import { stackFileValue } from './setup/stack-file.mjs';

/**
 * Environment for Docker commands about a stack: DOCKER_HOST names the engine of its box, by the stack's `dockerHost`.
 * Without one it is this process's own environment, and with it this machine's engine.
 */
export function engineEnvironment(stack: string): NodeJS.ProcessEnv {
  return engineAt(dockerHostOf(stack));
}

/** The address of the engine of a stack's box, as its configuration has it; undefined: this machine's. */
export function dockerHostOf(stack: string): string | undefined {
  return stackFileValue(process.cwd(), stack, 'dockerHost');
}

/** The same for an address as in DOCKER_HOST; undefined: this machine's. */
export function engineAt(dockerHost: string | undefined): NodeJS.ProcessEnv {
  return dockerHost === undefined ? process.env : { ...process.env, DOCKER_HOST: dockerHost };
}

/**
 * Runs a Docker command against an engine, by its address as in DOCKER_HOST; undefined: this machine's. Throws what
 * Docker, or the ssh on the way to it, complained of, in words.
 */
export async function docker(dockerHost: string | undefined, ...args: readonly string[]): Promise<ProcessOutput> {
  const run = await $({ quiet: true, nothrow: true, env: engineAt(dockerHost) })`docker ${args}`;
  if (run.exitCode === 0) return run;
  const complaint = run.stderr.trim();
  const target = sshTarget(dockerHost);
  const ofSsh = /stderr=(.+)$/s.exec(complaint)?.[1] ?? complaint;
  if (target && isSshFailure(ofSsh)) throw sshFailure(ofSsh, target);
  throw new Error(`docker ${args[0]} failed: ${complaint}`);
}
