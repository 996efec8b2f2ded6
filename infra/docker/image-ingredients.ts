import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { baseImageReference } from '../../images/base/reference.ts';
import type { ImageIngredients, ImageRole } from '../../images/context.ts';
import { publicImages } from '../../images/public-images.ts';
import type { Settings } from '../config.ts';
import { projectRoot } from '../project-path.ts';
import { bundle } from './bundle.ts';

/** What the image of a role is made of, where images come from that source. */
export function imageIngredients(role: ImageRole, source: Settings['images']): ImageIngredients {
  const base = source === 'local' ? baseImageReference() : publicImages[role];
  return { base, files: files[role]?.() ?? {} };
}

const files: Partial<Record<ImageRole, () => ImageIngredients['files']>> = {
  redis: () => ({ 'redis.conf': file('redis.conf') }),
  caddy: () => ({ Caddyfile: file('Caddyfile') }),
  supabase: () => ({
    'main.mjs': bundle(projectRoot, 'embedded-supabase/main.ts'),
    'healthcheck.mjs': bundle(projectRoot, 'embedded-supabase/healthcheck.ts'),
  }),
  service: () => ({ 'main.mjs': bundle(projectRoot, 'service/main.ts') }),
};

function file(path: string): Buffer {
  return readFileSync(join(projectRoot, path));
}
