import { stackFileValue } from './setup/stack-file.mjs';

/**
 * Environment for Docker commands about a stack: DOCKER_HOST names the engine of its box, by the stack's `dockerHost`.
 * Without one it is this process's own environment, and with it this machine's engine.
 */
export function engineEnvironment(stack: string): NodeJS.ProcessEnv {
  return engineAt(stackFileValue(process.cwd(), stack, 'dockerHost'));
}

/** The same for an address as in DOCKER_HOST; undefined: this machine's. */
export function engineAt(dockerHost: string | undefined): NodeJS.ProcessEnv {
  return dockerHost === undefined ? process.env : { ...process.env, DOCKER_HOST: dockerHost };
}
