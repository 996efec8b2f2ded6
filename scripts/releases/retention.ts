import { isFileBackend, stackNames } from './file-backend.ts';
import { removeOldImages } from './image-retention.ts';
import { removeOldSnapshots } from './snapshot-retention.ts';
import { readUpdates } from './updates.ts';

/**
 * Removes what is left of releases that are too old to go back to: their images, and their programs. For the end of a
 * successful update: what can't be removed is said, and is no reason to call the update a failure.
 */
export async function removeOldReleases(stack: string): Promise<void> {
  if (!isFileBackend()) return; // what other stacks need is not known here
  try {
    const histories = await Promise.all(stackNames().map((name) => readUpdates(name)));
    const images = await removeOldImages(stack, histories);
    if (images.length > 0) console.error(`Images of old releases are removed: ${images.join(', ')}`);
    await removeOldSnapshots(histories);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`What is left of old releases could not be removed, and is tried again next time: ${reason}`);
  }
}
