import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

const root = join(import.meta.dirname, '..', '..');
const providers = join(root, 'infra', 'providers');

const stackFile = z.object({
  checkpoint: z.object({
    latest: z.object({
      resources: z
        .array(
          z.object({ urn: z.string(), type: z.string(), id: z.string().optional(), outputs: z.unknown().optional() }),
        )
        .default([]),
    }),
  }),
});

export interface Outcome {
  readonly exitCode: number;
  /** Standard output and error, as a person would see them. */
  readonly text: string;
}

/** A Pulumi project of its own: the real engine, one provider of this checkout, a program that a test writes. */
export class PulumiProject {
  readonly path = mkdtempSync(join(tmpdir(), 'pulumi-project-'));
  readonly #name: string;
  readonly #provider: 'docker' | 'supabase';
  readonly #env: NodeJS.ProcessEnv;

  constructor(provider: 'docker' | 'supabase', env: Readonly<Record<string, string>> = {}) {
    this.#provider = provider;
    this.#name = `${provider}-provider-test`;
    for (const folder of ['home', 'state']) mkdirSync(join(this.path, folder));
    symlinkSync(join(root, 'node_modules'), join(this.path, 'node_modules'));
    this.#env = {
      ...process.env,
      PULUMI_HOME: join(this.path, 'home'),
      PULUMI_BACKEND_URL: `file://${join(this.path, 'state')}`,
      PULUMI_CONFIG_PASSPHRASE: 'only for this test',
      PULUMI_SKIP_UPDATE_CHECK: 'true',
      ...env,
    };
    this.write({
      'Pulumi.yaml': [
        `name: ${this.#name}`,
        'main: program/index.ts',
        'runtime: { name: nodejs, options: { typescript: false } }',
        'plugins:',
        '  providers:',
        `    - name: ${provider}`,
        `      path: ${join(providers, provider)}`,
      ].join('\n'),
      'package.json': `{ "name": "${this.#name}", "type": "module" }`,
    });
  }

  write(files: Readonly<Record<string, string>>): this {
    for (const [file, content] of Object.entries(files)) {
      const path = join(this.path, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    return this;
  }

  /** The program, after its imports of `pulumi` and the provider's package. */
  program(body: string): this {
    const imports = ['pulumi', this.#provider].map((name) => `import * as ${name} from '@pulumi/${name}';`);
    return this.write({ 'program/index.ts': `${imports.join('\n')}\nvoid pulumi;\n${body}\n` });
  }

  /** Any Pulumi command on the stack `test`; the exit code is the caller's to judge. */
  pulumi(...args: string[]): Promise<Outcome> {
    return this.#spawn(args).outcome;
  }

  pulumiWith(env: Readonly<Record<string, string>>, ...args: string[]): Promise<Outcome> {
    return this.#spawn(args, env).outcome;
  }

  /**
   * Starts a command, and kills it and everything that it started (a power cut, for them) once a condition on what it has
   * said so far holds. Throws when it ended before.
   */
  async killedWhen(condition: (said: string) => boolean | Promise<boolean>, ...args: string[]): Promise<Outcome> {
    const { child, outcome, said } = this.#spawn(args);
    while (child.exitCode === null && !(await condition(said()))) await delay(20);
    if (child.pid === undefined || child.exitCode !== null)
      throw new Error(`pulumi ended before it could be killed:\n${(await outcome).text}`);
    process.kill(-child.pid, 'SIGKILL');
    return outcome;
  }

  #spawn(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn('pulumi', ['--non-interactive', '--color', 'never', ...args], {
      cwd: this.path,
      env: { ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
    const outcome = once(child, 'close').then((): Outcome => ({ exitCode: child.exitCode ?? 1, text }));
    return { child, outcome, said: () => text };
  }

  async start(): Promise<this> {
    const made = await this.pulumi('stack', 'init', 'test');
    if (made.exitCode !== 0) throw new Error(`pulumi stack init failed:\n${made.text}`);
    return this;
  }

  /** The state as it lies in the backend: what is secret in it must be encrypted. */
  state(): string {
    return readFileSync(join(this.path, 'state', '.pulumi', 'stacks', this.#name, 'test.json'), 'utf8');
  }

  /** What the stack holds, without Pulumi's own resources. */
  resources(): { urn: string; type: string; id: string | undefined }[] {
    const others = this.#stored().filter(({ type }) => !type.startsWith('pulumi:'));
    return others.map(({ urn, type, id }) => ({ urn, type, id }));
  }

  /** Outputs of one resource in the state, by its type. */
  outputsOf(type: string): unknown {
    return this.#stored().find((resource) => resource.type === type)?.outputs;
  }

  #stored() {
    return stackFile.parse(JSON.parse(this.state())).checkpoint.latest.resources;
  }

  end(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
