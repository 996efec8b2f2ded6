import type * as pulumi from '@pulumi/pulumi';
import type { ImageRole } from '../../images/context.ts';
import type { Settings } from '../config.ts';
import { KitImage } from './image.ts';
import { imageIngredients } from './image-ingredients.ts';

/**
 * The stack's images by role, each made when it is asked for.
 *
 * @param present names of the images that the engine has
 */
export function stackImages(
  source: Settings['images'],
  present: ReadonlySet<string>,
  opts: pulumi.ComponentResourceOptions,
) {
  const made: Partial<Record<ImageRole, KitImage>> = {};
  const image = (role: ImageRole) => {
    const one = new KitImage(`${role}-image`, { role, present, ...imageIngredients(role, source) }, opts);
    made[role] = one;
    return one;
  };
  return {
    made,
    postgres: () => image('postgres'),
    redis: () => image('redis'),
    caddy: () => image('caddy'),
    supabase: () => image('supabase'),
    service: () => image('service'),
    redisCommander: () => image('redis-commander'),
  };
}
