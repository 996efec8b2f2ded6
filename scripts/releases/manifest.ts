import { z } from 'zod';

/** Where the program of an update is kept: see `infra/release-manifest.ts`, which writes all of this. */
const program = z.object({
  /** HEAD at the time. */
  commit: z.string().nullable(),
  /** Commit object with the program as it was deployed, changes without a commit included. */
  snapshot: z.string().nullable(),
  /** Whether the program was what `commit` has. */
  clean: z.boolean(),
});

/** What an update consisted of: the output `manifest` of the program. */
export const manifest = z.object({
  release: z.string(),
  program,
  /** By role: what the image is called, and its id on the engine. */
  images: z.record(z.string(), z.object({ reference: z.string(), id: z.string() })),
  schemaHead: z.string(),
  /** Names of the applied migrations that take away what earlier releases use. */
  schemaContracts: z.array(z.string()),
  configDigest: z.string(),
});
export type Manifest = z.output<typeof manifest>;
