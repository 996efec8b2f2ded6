import { connectEngine } from '../providers/docker/engine.ts';
import { EngineAway } from '../providers/docker/engine-error.ts';

/**
 * Names of the kit's images that an engine has. None where it does not answer: a preview must work there, and an update
 * has looked before.
 *
 * @param dockerHost as in DOCKER_HOST, which is the default
 */
export async function presentImages(dockerHost: string | undefined): Promise<ReadonlySet<string>> {
  try {
    const engine = await connectEngine(dockerHost);
    const images = await engine.listImages({ filters: { reference: ['conversation-kit/*'] } });
    return new Set(images.flatMap(({ RepoTags }) => RepoTags ?? []));
  } catch (error) {
    if (error instanceof EngineAway) return new Set();
    throw error;
  }
}
