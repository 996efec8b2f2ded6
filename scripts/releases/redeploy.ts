import { type PreviewedStep, pulumiPreview, pulumiUp, type UpdateOptions } from '../pulumi-update.ts';
import { layOutProgram, removeOldPrograms } from './laid-out-program.ts';
import { refusals } from './refusals.ts';
import { listImages, missingImages } from './release-images.ts';
import { readUpdates, type Update } from './updates.ts';

export interface RedeployOptions extends Pick<UpdateOptions, 'signal' | 'holding'> {
  /** Sees what would change, and says whether to go on. Left out: goes on. */
  readonly confirm?: (preview: readonly PreviewedStep[]) => Promise<boolean>;
}

/**
 * Deploys program, configuration and images of an earlier update again, with no build and no pull. Returns whether it
 * did: not where `confirm` said no. Throws, with what can be done, where that update can't be gone back to. Run again
 * after it was killed, it goes on from there.
 */
export async function redeploy(stack: string, update: Update, options: RedeployOptions = {}): Promise<boolean> {
  const { confirm, ...others } = options;
  const updates = await readUpdates(stack);
  const reasons = refusals(update, updates);
  if (reasons.length === 0 && update.manifest)
    reasons.push(...missingImages(update.manifest, await listImages(update)));
  if (reasons.length > 0) throw new RollbackRefused(update, reasons);

  const applied = new Set(updates.flatMap(({ migrations }) => migrations));
  const directory = await layOutProgram(stack, update, [...applied].sort());
  if (confirm && !(await confirm(await pulumiPreview(stack, { directory, signal: options.signal })))) return false;
  const message = `Rollback to update ${update.number}, release ${update.manifest?.release}`;
  await pulumiUp(stack, { ...others, directory, message });
  removeOldPrograms();
  return true;
}

/** An update can't be gone back to; nothing was changed. */
export class RollbackRefused extends Error {
  override readonly name = 'RollbackRefused';
  constructor(update: Update, reasons: readonly string[]) {
    super(
      `Update ${update.number} can't be gone back to, and nothing was changed:\n${reasons.map((reason) => `  - ${reason}`).join('\n')}`,
    );
  }
}
