import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { composeFile, type Inspected, inspected, roleOf } from './compose-file.ts';
import type { OwnStack } from './own-stack.ts';
import type { Window } from './sample.ts';

const run = promisify(execFile);

/** What others need comes first. */
const startOrder = ['postgres', 'redis', 'supabase', 'service', 'caddy', 'redis-commander'];

/**
 * The same containers under Docker Compose, in the place of a stack of the kit: same images, same volumes, same ports.
 * The stack's own containers are stopped as long as it is there.
 */
export class ComposeStack {
  readonly #command: readonly [string, ...string[]];
  readonly #containers: readonly Inspected[];
  readonly #file: string;
  readonly #namespace: string;

  private constructor(
    command: readonly [string, ...string[]],
    containers: readonly Inspected[],
    { checkout, namespace }: OwnStack,
  ) {
    this.#command = command;
    this.#containers = containers;
    this.#file = join(checkout.directory, 'compose.json');
    this.#namespace = namespace;
  }

  /** Takes the place of the stack; resolves when everything has started. */
  static async takeOver(stack: OwnStack, command: readonly [string, ...string[]]): Promise<ComposeStack> {
    const filter = `label=conversation-kit.stack=${stack.namespace}`;
    const listed = await run('docker', ['ps', '--quiet', '--filter', filter]);
    const { stdout } = await run('docker', ['inspect', ...listed.stdout.trim().split('\n')]);
    const containers = z.array(inspected).parse(JSON.parse(stdout)).toSorted(byStartOrder);
    const compose = new ComposeStack(command, containers, stack);
    await run('docker', ['stop', ...containers.toReversed().map(({ Name }) => Name)]);
    try {
      await compose.up({});
    } catch (error) {
      await compose.giveBack();
      throw error;
    }
    return compose;
  }

  /** `up -d` with these variables for the service, timed. Rejects when Compose says that it failed. */
  async up(environment: Readonly<Record<string, string>>): Promise<Window> {
    await writeFile(this.#file, composeFile(`${this.#namespace}-compose`, this.#containers, environment));
    const from = performance.now();
    await this.#compose('up', '--detach');
    return { from, to: performance.now() };
  }

  async version(): Promise<string> {
    return (await this.#compose('version', '--short')).trim();
  }

  /** Gives the place back; resolves when the stack's own containers have started. */
  async giveBack(): Promise<void> {
    await this.#compose('down');
    await rm(this.#file);
    for (const { Name } of this.#containers) await run('docker', ['start', Name]);
  }

  async #compose(...args: string[]): Promise<string> {
    const [program, ...first] = this.#command;
    const { stdout } = await run(program, [...first, '--file', this.#file, ...args], { maxBuffer: 16 << 20 });
    return stdout;
  }
}

function byStartOrder(left: Inspected, right: Inspected): number {
  return startOrder.indexOf(roleOf(left)) - startOrder.indexOf(roleOf(right));
}
