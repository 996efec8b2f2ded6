import { randomBytes } from 'node:crypto';
import Docker from 'dockerode';
import { dockerConfig } from '../../../infra/providers/docker/config.ts';
import { container } from '../../../infra/providers/docker/container/container.ts';
import { image } from '../../../infra/providers/docker/image/image.ts';
import { remoteImage } from '../../../infra/providers/docker/image/remote-image.ts';
import { network } from '../../../infra/providers/docker/network.ts';
import { volume } from '../../../infra/providers/docker/volume.ts';
import { type Properties, startEngine, type TestEngine } from '../../unit/providers/engine.ts';

const definitions = { container, image, network, remoteImage, volume };

/** The engine that tests run against, asked past the provider. */
export const engine = new Docker();

/** One test file's share of the engine: what it makes carries its label and goes with it. */
export class Share {
  readonly id = `kit-test-${randomBytes(4).toString('hex')}`;
  readonly labels = [{ label: 'conversation-kit.test', value: this.id }];
  readonly #providers: TestEngine[] = [];

  /** The stand-in behind its protocol, for one type of resource. */
  async provider(type: keyof typeof definitions, config: Properties = {}): Promise<TestEngine> {
    const started = await startEngine({
      name: 'docker',
      version: '5.2.0',
      config: dockerConfig,
      resources: [definitions[type]],
    });
    this.#providers.push(started);
    await started.configure(config);
    return started;
  }

  name(what: string): string {
    return `${this.id}-${what}`;
  }

  async end(): Promise<void> {
    await Promise.all(this.#providers.map((provider) => provider.close()));
    const filters = { label: [`conversation-kit.test=${this.id}`] };
    for (const { Id } of await engine.listContainers({ all: true, filters }))
      await engine.getContainer(Id).remove({ force: true, v: true });
    for (const { Id } of await engine.listNetworks({ filters })) await engine.getNetwork(Id).remove();
    for (const { Name } of (await engine.listVolumes({ filters })).Volumes) await engine.getVolume(Name).remove();
    for (const tag of (await engine.listImages({ filters })).flatMap(({ RepoTags }) => RepoTags ?? []))
      if (tag !== '<none>:<none>') await engine.getImage(tag).remove({ force: true });
    await engine.pruneImages({ filters: { dangling: ['true'], label: filters.label } });
  }
}

/** Checks inputs and makes the resource, as the engine does in an update. */
export async function create(provider: TestEngine, inputs: Properties) {
  const checked = await provider.check(inputs);
  if (Object.keys(checked.failures).length > 0) throw new Error(JSON.stringify(checked.failures));
  const made = await provider.create(checked.inputs);
  return { ...made, inputs: checked.inputs };
}

/** What an update would change after a refresh. */
export async function driftOf(
  provider: TestEngine,
  made: { id: string; inputs: Properties; outputs: Properties },
  program: Properties,
) {
  const now = await provider.read(made.id, made);
  const news = (await provider.check(program, now.inputs)).inputs;
  const { detaileddiffMap, replacesList } = await provider.diff(now, news);
  return { now, paths: detaileddiffMap.map(([path]) => path), replaces: replacesList };
}
