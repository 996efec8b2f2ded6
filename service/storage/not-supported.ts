import { NotSupportedByBackend } from '../conversation/errors.ts';
import type { ImportTarget } from '../conversation/import-target.ts';
import type { Search } from '../conversation/search.ts';

const capable = ['dual', 'supabase'];

/** For backends without an index over what was said. */
export const noSearch: Search = {
  search: async () => {
    throw new NotSupportedByBackend('search', capable);
  },
};

/** For backends that number and date messages themselves. */
export const noImport: ImportTarget = {
  importMessages: async () => {
    throw new NotSupportedByBackend('import', capable);
  },
};
