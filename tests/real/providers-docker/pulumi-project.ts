import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

const root = join(import.meta.dirname, '..', '..', '..');

export interface Outcome {
  readonly exitCode: number;
  /** Standard output and error, as a person would see them. */
  readonly text: string;
}

const deployment = z.object({
  deployment: z.object({
    resources: z.array(z.object({ type: z.string(), id: z.string().optional() })).optional(),
    pending_operations: z.array(z.unknown()).optional(),
  }),
});

/** A Pulumi project of its own: the real engine, the stand-in of this checkout, a program that a test writes. */
export class PulumiProject {
  readonly #path = mkdtempSync(join(tmpdir(), 'pulumi-project-'));

  constructor() {
    for (const folder of ['home', 'state', 'program']) mkdirSync(join(this.#path, folder));
    symlinkSync(join(root, 'node_modules'), join(this.#path, 'node_modules'));
    this.#write('package.json', '{ "name": "docker-stand-in-test", "type": "module" }');
    this.#write(
      'Pulumi.yaml',
      [
        'name: docker-stand-in-test',
        'main: program/index.ts',
        'runtime: { name: nodejs, options: { typescript: false } }',
        'plugins:',
        '  providers:',
        '    - name: docker',
        `      path: ${join(root, 'infra', 'providers', 'docker')}`,
      ].join('\n'),
    );
  }

  /** The program, after its imports. */
  program(body: string): void {
    const imports = "import * as docker from '@pulumi/docker';\nimport * as pulumi from '@pulumi/pulumi';";
    this.#write('program/index.ts', `${imports}\nvoid pulumi;\n${body}\n`);
  }

  /** Any Pulumi command on the stack `test`; the exit code is the caller's to judge. */
  async pulumi(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    const child = this.#spawn(args, env);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { exitCode: child.exitCode ?? 1, text: `${stdout}${stderr}` };
  }

  /** Runs a command, and kills it with everything that it started (a power cut, for them) once its output holds `sign`. */
  async killedAt(sign: string, ...args: string[]): Promise<void> {
    const child = this.#spawn(args, {});
    const closed = once(child, 'close');
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (piece: Buffer) => {
        said += piece.toString('utf8');
        if (said.includes(sign) && child.pid !== undefined && child.exitCode === null)
          process.kill(-child.pid, 'SIGKILL');
      });
    await closed;
    if (child.signalCode !== 'SIGKILL') throw new Error(`pulumi ended without saying "${sign}":\n${said}`);
  }

  /** What the stack holds, without Pulumi's own resources. */
  async resources(): Promise<{ type: string; id?: string | undefined }[]> {
    const exported = await this.pulumi(['stack', 'export']);
    const { resources = [] } = deployment.parse(JSON.parse(exported.text)).deployment;
    return resources.filter(({ type }) => !type.startsWith('pulumi:'));
  }

  async start(): Promise<this> {
    const made = await this.pulumi(['stack', 'init', 'test']);
    if (made.exitCode !== 0) throw new Error(`pulumi stack init failed:\n${made.text}`);
    return this;
  }

  end(): void {
    rmSync(this.#path, { recursive: true, force: true });
  }

  #write(name: string, content: string): void {
    writeFileSync(join(this.#path, name), content);
  }

  #spawn(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): ChildProcessByStdio<null, Readable, Readable> {
    return spawn('pulumi', ['--non-interactive', '--color', 'never', ...args], {
      cwd: this.#path,
      env: {
        ...process.env,
        PULUMI_HOME: join(this.#path, 'home'),
        PULUMI_BACKEND_URL: `file://${join(this.#path, 'state')}`,
        PULUMI_CONFIG_PASSPHRASE: 'only for this test',
        PULUMI_SKIP_UPDATE_CHECK: 'true',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own
    });
  }
}
