import type Docker from 'dockerode';
import { z } from 'zod';
import { engineFind } from '../engine-request.ts';

const inspected = z.object({
  Id: z.string(),
  RepoTags: z.array(z.string()).nullish(),
  RepoDigests: z.array(z.string()).nullish(),
});
export type LocalImage = z.output<typeof inspected>;

/** The image as the engine has it, by name, id or digest. */
export function findLocalImage(docker: Docker, name: string, signal: AbortSignal): Promise<LocalImage | undefined> {
  return engineFind(docker, `/images/${encodeURIComponent(name)}/json`, inspected, signal);
}
