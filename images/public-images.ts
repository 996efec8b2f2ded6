import type { ImageRole } from './context.ts';

const node = 'node:24.21.0-bookworm-slim';

/**
 * The official images that ours are built on where a registry answers. Exact versions; Debian 12 where there is a
 * choice, so that the programs around the server are those of the base image. Redis stays at 7.2, the last release
 * under the BSD licence.
 */
export const publicImages: Readonly<Record<ImageRole, string>> = {
  postgres: 'postgres:15.19-bookworm',
  redis: 'redis:7.2.16-bookworm',
  caddy: 'caddy:2.11.4-alpine',
  supabase: node,
  service: node,
  'redis-commander': node,
};
