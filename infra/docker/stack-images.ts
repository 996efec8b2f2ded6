import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as pulumi from '@pulumi/pulumi';
import { baseImageReference } from '../../images/base/reference.ts';
import type { ImageRole } from '../../images/context.ts';
import { publicImages } from '../../images/public-images.ts';
import type { Settings } from '../config.ts';
import { projectRoot } from '../project-path.ts';
import { bundle } from './bundle.ts';
import { KitImage } from './image.ts';

/** The stack's images by role, each made when it is first asked for. */
export function stackImages(source: Settings['images'], opts: pulumi.ComponentResourceOptions) {
  const base = (role: ImageRole) => (source === 'local' ? baseImageReference() : publicImages[role]);
  const file = (path: string) => readFileSync(join(projectRoot, path));
  const image = (role: ImageRole, files: Record<string, Buffer | string> = {}) =>
    new KitImage(`${role}-image`, { role, base: base(role), files }, opts);
  return {
    postgres: () => image('postgres'),
    redis: () => image('redis', { 'redis.conf': file('redis.conf') }),
    caddy: () => image('caddy', { Caddyfile: file('Caddyfile') }),
    supabase: () =>
      image('supabase', {
        'main.mjs': bundle(projectRoot, 'embedded-supabase/main.ts'),
        'healthcheck.mjs': bundle(projectRoot, 'embedded-supabase/healthcheck.ts'),
      }),
    service: () => image('service', { 'main.mjs': bundle(projectRoot, 'service/main.ts') }),
    redisCommander: () => image('redis-commander'),
  };
}
