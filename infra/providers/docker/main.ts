import { serveProvider } from '../plugin/serve.ts';
import { dockerConfig } from './config.ts';
import { container } from './container/container.ts';
import { image } from './image/image.ts';
import { remoteImage } from './image/remote-image.ts';
import { network } from './network.ts';
import { volume } from './volume.ts';

/**
 * The stand-in for Pulumi's docker plugin 5.2, for machines that can't download it: its resources that this project
 * uses, with its tokens, inputs, defaults, replace rules and states, so that a stack can go from one to the other.
 *
 * It was written from the official plugin's schema and source (pulumi/pulumi-docker 5.x over
 * kreuzwerker/terraform-provider-docker 4.5), and never ran beside it. Not verified that way:
 * - that the official plugin previews a stack of this one without a change. States have its names, values and notes
 *   (`__defaults`); its own `__meta` and `__pulumi_raw_state_delta` are left out, which it is written to cope with;
 * - the digest of an `Image`'s context, bit by bit (see image/context-digest.ts);
 * - engines newer than API 1.41.
 *
 * Where it differs on purpose:
 * - it builds with the engine's classic builder; what needs buildx is an error;
 * - an input that is taken out of the program is a difference also where the official plugin would keep the old value
 *   (hostname, command, environment, labels and the like);
 * - a stopped container keeps its ports in the state, so that it is started, not replaced;
 * - `cpuPeriod` and `cpuQuota` are changed on the engine, not only in the state, and what waits for the next container
 *   is said;
 * - tcp without TLS is refused;
 * - what an update left behind that was killed is taken up by the next one (see container/creation.ts, network.ts).
 */
await serveProvider({
  name: 'docker',
  version: '5.2.0',
  config: dockerConfig,
  resources: [network, volume, container, remoteImage, image],
});
