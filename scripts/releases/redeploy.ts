import type { Update } from './updates.ts';

export interface RedeployOptions {
  /** Sees what would change, in Pulumi's words, and says whether to go on. Left out: goes on. */
  readonly confirm?: (preview: string) => Promise<boolean>;
}

/**
 * Deploys program, configuration and images of an earlier update again, with no build and no pull. Returns whether it
 * did: not where `confirm` said no. Throws, with what can be done, where that update can't be gone back to.
 */
export async function redeploy(stack: string, update: Update, options: RedeployOptions = {}): Promise<boolean> {
  throw new Error(`not there yet: ${stack} ${update.number} ${Object.keys(options)}`);
}
