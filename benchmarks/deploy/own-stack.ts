import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Checkout, type CommandResult, freshCheckout } from '../../tests/support/checkout.ts';
import type { Target } from './load.ts';
import type { Window } from './sample.ts';

/** A command that a person would give, and when it ran. */
export interface Command extends CommandResult, Window {}

const upReport = z.object({ service: z.url(), release: z.string(), certificateAuthority: z.string() });
const keys = z.object({ supabaseSecretKey: z.string() });

/** A stack in a checkout of its own, with ports and names of its own. */
export class OwnStack {
  readonly checkout: Checkout;
  readonly namespace: string;
  readonly target: Target;
  #removed: Promise<void> | undefined;

  private constructor(checkout: Checkout, target: Target) {
    this.checkout = checkout;
    this.namespace = checkout.config.namespace;
    this.target = target;
  }

  /** Deploys it. What was made is removed when that fails. */
  static async open(): Promise<OwnStack> {
    const checkout = await freshCheckout({ prepared: true });
    try {
      const settings = Object.entries({ ...checkout.config, redisCommander: 'false' }); // nobody looks into Redis
      const config = settings.map(([key, value]) => `--config=${key}=${value}`);
      const up = succeeded(await checkout.npm('up', ...config, '--no-smoke', '--json'), 'npm run up');
      const { service, certificateAuthority } = upReport.parse(lastJson(up.stdout));
      const shown = await checkout.npm('pulumi', 'stack', 'output', '--json', '--show-secrets', '-s', 'local');
      const { supabaseSecretKey } = keys.parse(JSON.parse(succeeded(shown, 'pulumi stack output').stdout));
      const authority = await readFile(join(checkout.directory, certificateAuthority), 'utf8');
      return new OwnStack(checkout, { url: service, key: supabaseSecretKey, authority });
    } catch (error) {
      await checkout.remove();
      throw error;
    }
  }

  /** `npm run <script> -- <args>`, timed; how it ended is for the caller to judge. */
  async run(script: string, ...args: string[]): Promise<Command> {
    const from = performance.now();
    const result = await this.checkout.npm(script, ...args);
    return { ...result, from, to: performance.now() };
  }

  /** A release that differs from the others by one setting; its id. */
  async release(setting: string): Promise<Command & { readonly release: string }> {
    const up = await this.run('up', '--no-smoke', '--json', `--config=${setting}`);
    return { ...up, release: upReport.parse(lastJson(succeeded(up, `npm run up with ${setting}`).stdout)).release };
  }

  /** May be asked for more than once: when the benchmark ends, and when it is told to end. */
  remove(): Promise<void> {
    this.#removed ??= this.checkout.remove();
    return this.#removed;
  }
}

export function succeeded<Result extends CommandResult>(result: Result, command: string): Result {
  if (result.exitCode === 0) return result;
  throw new Error(`${command} ended with ${result.exitCode}:\n${result.output}`);
}

export function lastJson(stdout: string): unknown {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}
