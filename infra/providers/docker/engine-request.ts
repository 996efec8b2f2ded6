import type Docker from 'dockerode';
import type { z } from 'zod';
import { orGone } from './engine-error.ts';

/** One GET of the engine's API (`path` from the root, without version), its answer parsed. */
export async function engineGet<T>(
  docker: Docker,
  path: string,
  schema: z.ZodType<T>,
  abortSignal: AbortSignal,
): Promise<T> {
  const answer = await new Promise((resolve, reject) =>
    docker.modem.dial({ path, method: 'GET', statusCodes: { 200: true }, abortSignal }, (error, data) =>
      error ? reject(error) : resolve(data),
    ),
  );
  return schema.parse(answer);
}

/** As `engineGet`; `undefined` when the engine says that there is no such thing. */
export function engineFind<T>(docker: Docker, path: string, schema: z.ZodType<T>, signal: AbortSignal) {
  return orGone(engineGet(docker, path, schema, signal));
}
