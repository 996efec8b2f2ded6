import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JWK } from 'jose';
import { z } from 'zod';

const content = z.object({
  /** The address of the document: another project's keys are nothing to us. */
  document: z.string(),
  /** Milliseconds since 1970: when the project was asked. */
  at: z.number(),
  keys: z.array(z.looseObject({ kty: z.string() })),
});
type Content = z.output<typeof content>;

/** The public keys of a project in a file beside the outbox, for a service that starts while the project is away. */
export class KeptKeys {
  readonly path: string;
  readonly #document: string;

  constructor(directory: string, document: URL) {
    this.path = join(directory, 'project-keys.json');
    this.#document = document.href;
  }

  /** Undefined where there are none of this project, or older ones than so many ms. Throws for a file that can't be read. */
  read(oldest: number): Content | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
      throw new Error(`the keys in ${this.path} can't be read`, { cause });
    }
    const kept = content.safeParse(parsed(text));
    if (!kept.success) throw new Error(`${this.path} holds no keys: it is made anew when the project is there`);
    const { document, at } = kept.data;
    return document === this.#document && Date.now() - at < oldest ? kept.data : undefined;
  }

  /** In one step, so that no process ever reads half of it. */
  write(at: number, keys: readonly JWK[]): void {
    const written = `${this.path}.${randomUUID()}`;
    try {
      try {
        writeFileSync(written, JSON.stringify({ document: this.#document, at, keys }), { mode: 0o600 });
        renameSync(written, this.path);
      } finally {
        rmSync(written, { force: true });
      }
    } catch (cause) {
      throw new Error(`the keys can't be kept in ${this.path}`, { cause });
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // which no content is
  }
}
