import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

const root = join(import.meta.dirname, '..', '..', '..');
const name = 'supabase-provider-test';

const stackFile = z.object({
  checkpoint: z.object({
    latest: z.object({
      resources: z.array(z.object({ type: z.string(), outputs: z.unknown().optional() })).optional(),
    }),
  }),
});

export interface Outcome {
  readonly exitCode: number;
  /** Standard output and error, as a person would see them. */
  readonly text: string;
}

/** A Pulumi project of its own: the real engine, the provider of this checkout, a program that a test writes. */
export class PulumiProject {
  readonly path = mkdtempSync(join(tmpdir(), 'pulumi-project-'));
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: Readonly<Record<string, string>> = {}) {
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
        `name: ${name}`,
        'main: program/index.ts',
        'runtime: { name: nodejs, options: { typescript: false } }',
        'plugins:',
        '  providers:',
        '    - name: supabase',
        `      path: ${join(root, 'infra', 'providers', 'supabase')}`,
      ].join('\n'),
      'package.json': `{ "name": "${name}", "type": "module" }`,
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

  /** The program, after its imports. */
  program(body: string): this {
    return this.write({
      'program/index.ts': `import * as pulumi from '@pulumi/pulumi';\nimport * as supabase from '@pulumi/supabase';\n${body}\n`,
    });
  }

  /** Any Pulumi command on the stack `test`; the exit code is the caller's to judge. */
  pulumi(...args: string[]): Promise<Outcome> {
    return this.#spawn(args).outcome;
  }

  /** Starts a command, and kills it and everything that it started (a power cut, for them) once a condition holds. */
  async killedWhen(condition: () => Promise<boolean>, ...args: string[]): Promise<Outcome> {
    const { child, outcome } = this.#spawn(args);
    while (child.exitCode === null && !(await condition())) await delay(50);
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    return outcome;
  }

  #spawn(args: readonly string[]) {
    const child = spawn('pulumi', ['--non-interactive', '--color', 'never', ...args], {
      cwd: this.path,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own
    });
    const outcome = (async (): Promise<Outcome> => {
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      return { exitCode: child.exitCode ?? 1, text: `${stdout}${stderr}` };
    })();
    return { child, outcome };
  }

  async start(): Promise<this> {
    const made = await this.pulumi('stack', 'init', 'test');
    if (made.exitCode !== 0) throw new Error(`pulumi stack init failed:\n${made.text}`);
    return this;
  }

  /** The state as it lies in the backend: what is secret in it must be encrypted. */
  state(): string {
    return readFileSync(join(this.path, 'state', '.pulumi', 'stacks', name, 'test.json'), 'utf8');
  }

  /** Outputs of one resource in the state, by its type. */
  outputsOf(type: string): unknown {
    const { resources = [] } = stackFile.parse(JSON.parse(this.state())).checkpoint.latest;
    return resources.find((resource) => resource.type === type)?.outputs;
  }

  end(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
