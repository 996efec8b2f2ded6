import type { StorageApi } from './storage-api.ts';

/** Most that the API lists, and removes, in one request. */
const batch = 1000;

/**
 * Removes every object. Not by the API's own "empty": the hosted one only queues it, and the bucket can't be deleted
 * for as long as that takes.
 */
export async function emptyBucket(api: StorageApi, name: string, progress: (message: string) => void): Promise<void> {
  let removed = 0;
  const emptyFolder = async (folder: string): Promise<void> => {
    for (;;) {
      const entries = await api.list(name, folder, batch);
      for (const { path } of entries.filter(({ isFolder }) => isFolder)) await emptyFolder(path);
      const objects = entries.filter(({ isFolder }) => !isFolder).map(({ path }) => path);
      if (objects.length > 0) {
        await api.remove(name, objects);
        removed += objects.length;
        progress(`bucket ${name}: ${removed} objects removed`);
      }
      if (entries.length < batch) return;
    }
  };
  await emptyFolder('');
}
