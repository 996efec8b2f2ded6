import { serveProvider } from '../plugin/serve.ts';
import { dockerConfig } from './config.ts';
import { container } from './container/container.ts';
import { image } from './image/image.ts';
import { remoteImage } from './image/remote-image.ts';
import { network } from './network.ts';
import { volume } from './volume.ts';

/** The stand-in for the docker plugin, for machines that can't download the official one. Its version is what it stands in for. */
await serveProvider({
  name: 'docker',
  version: '5.2.0',
  config: dockerConfig,
  resources: [network, volume, container, remoteImage, image],
});
