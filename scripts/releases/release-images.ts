import { docker } from '../engine.ts';
import type { Manifest } from './manifest.ts';
import type { Update } from './updates.ts';

/** A name of an image on an engine; `<none>:<none>` where it has none. */
export interface ListedImage {
  readonly reference: string;
  /** `sha256:…` */
  readonly id: string;
}

/** The images on the engine of an update. Throws where that does not answer. */
export async function listImages(update: Update): Promise<ListedImage[]> {
  const host = update.config.values['conversation-kit:dockerHost'];
  const engine = typeof host === 'string' ? host : undefined;
  const listed = await docker(engine, 'image', 'ls', '--no-trunc', '--format', '{{.ID}} {{.Repository}}:{{.Tag}}');
  return listed.stdout.split('\n').flatMap((line) => {
    const [id, reference] = line.split(' ');
    return id && reference ? [{ id, reference }] : [];
  });
}

/** Which of a release's images the engine has not got any more, each with what can be done. */
export function missingImages({ images, program }: Manifest, listed: readonly ListedImage[]): string[] {
  return Object.values(images).flatMap(({ reference, id }) => {
    if (listed.some((image) => image.reference === reference && image.id === id)) return [];
    if (listed.some((image) => image.id === id)) {
      return [`its image ${reference} has lost its name. Give it back: docker tag ${id} ${reference}`];
    }
    const other = listed.some((image) => image.reference === reference) ? ' (what has its name is another build)' : '';
    return [
      `its image ${reference} is gone from the engine${other}. Deploying its commit builds it again: ` +
        `git switch --detach ${program.commit ?? '<commit>'}, then npm run up`,
    ];
  });
}
