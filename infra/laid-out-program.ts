import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { projectRoot } from './project-path.ts';

const description = z.object({
  program: z.object({ commit: z.string().nullable(), snapshot: z.string().nullable(), clean: z.boolean() }),
  /** Migrations of newer releases, `<version>_<name>`: applied, and not among its own. */
  ahead: z.array(z.string()),
});

/** What `scripts/releases/laid-out-program.ts` writes beside a program that it lays out for a rollback. */
export type LaidOutProgram = z.output<typeof description>;

/** Undefined in a checkout. */
export function laidOutProgram(root = projectRoot): LaidOutProgram | undefined {
  const file = `${root}.json`;
  return existsSync(file) ? description.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
}
