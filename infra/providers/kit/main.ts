import { serveProvider } from '../plugin/serve.ts';
import { kitConfig } from './config.ts';
import { dataVolume } from './data-volume.ts';
import { edgeConfig } from './edge-config.ts';
import { liveRelease } from './live-release.ts';
import { releaseGate } from './release-gate.ts';
import { secret } from './secret.ts';

await serveProvider({
  name: 'kit',
  version: '0.1.0',
  config: kitConfig,
  resources: [secret, dataVolume, edgeConfig, releaseGate, liveRelease],
});
