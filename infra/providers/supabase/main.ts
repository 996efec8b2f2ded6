import { serveProvider } from '../plugin/serve.ts';
import { supabaseConfig } from './config.ts';
import { resources } from './resources.ts';
import { packageSchema } from './schema/package-schema.ts';
import { version } from './version.ts';

await serveProvider({
  name: 'supabase',
  version,
  schema: async () => JSON.stringify(packageSchema()),
  config: supabaseConfig,
  resources: resources.map(({ definition }) => definition),
});
