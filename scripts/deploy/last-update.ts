import { z } from 'zod';
import { $ } from 'zx';

const history = z.array(z.object({ resourceChanges: z.record(z.string(), z.number()).optional() }));

/** Whether the stack's newest update did anything, as far as it came. */
export async function lastUpdateChangedSomething(stack: string): Promise<boolean> {
  const { stdout } = await $({ quiet: true })`pulumi stack history --json --page-size 1 -s ${stack}`;
  return changedSomething(history.parse(JSON.parse(stdout))[0]?.resourceChanges);
}

/** From Pulumi's counts by operation. What it does not say may have happened. */
export function changedSomething(counts: Readonly<Record<string, number>> | undefined): boolean {
  if (counts === undefined) return true;
  return Object.entries(counts).some(
    ([operation, count]) => !['same', 'read', 'refresh'].includes(operation) && count > 0,
  );
}
