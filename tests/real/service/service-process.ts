import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../../infra/docker/bundle.ts';
import { freePort } from '../../support/containers.ts';

/** The bundle of the service, as it goes into its image, with its secrets as files. */
export interface Installation {
  start(changes?: Record<string, string>): Promise<RunningService>;
  /** Runs it with these arguments, to its end. */
  run(args: readonly string[], changes?: Record<string, string>): Promise<Finished>;
  remove(): Promise<void>;
}

export interface Finished {
  readonly exitCode: number | null;
  readonly output: string;
}

export interface RunningService {
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** Everything that it has written so far. */
  output(): string;
  /** Resolves when a line of its output matches; rejects when it ends before. */
  until(pattern: RegExp): Promise<void>;
  /** Sends a signal, and resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<Finished>;
}

export interface Secrets {
  readonly publishableKey: string;
  readonly secretKey: string;
  readonly jwtSecret: string;
  readonly redisPassword: string;
}

export async function install(secrets: Secrets, addresses: { supabase: string; redis: string }): Promise<Installation> {
  const directory = await mkdtemp(join(tmpdir(), 'service-'));
  const file = async (name: string, content: string) => {
    await writeFile(join(directory, name), content, { mode: 0o600 });
    return join(directory, name);
  };
  const program = await file('main.mjs', bundle(process.cwd(), 'service/main.ts'));
  const environment = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    RELEASE_ID: 'under-test',
    SUPABASE_URL: addresses.supabase,
    SUPABASE_PUBLISHABLE_KEY_FILE: await file('publishable', secrets.publishableKey),
    SUPABASE_SECRET_KEY_FILE: await file('secret', `${secrets.secretKey}\n`),
    SUPABASE_JWT_SECRET_FILE: await file('jwt', secrets.jwtSecret),
    REDIS_URL: addresses.redis,
    REDIS_PASSWORD_FILE: await file('redis', secrets.redisPassword),
    OUTBOX_DIRECTORY: join(directory, 'outbox'),
  };
  const launch = (args: readonly string[], changes: Record<string, string>) =>
    follow(spawn(process.execPath, [program, ...args], { cwd: directory, env: { ...environment, ...changes } }));
  return {
    async start(changes = {}) {
      const port = await freePort();
      const running = launch([], { PORT: String(port), ...changes });
      await running.until(/"msg":"listening"/);
      return { ...running, port, url: `http://127.0.0.1:${port}` };
    },
    run: (args, changes = {}) => launch(args, changes).ended,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

function follow(child: ChildProcess) {
  let output = '';
  const listeners = new Set<() => void>();
  const hear = (chunk: Buffer) => {
    output += chunk;
    for (const listener of listeners) listener();
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const ended = new Promise<Finished>((resolve) => child.on('close', (exitCode) => resolve({ exitCode, output })));
  return {
    process: child,
    ended,
    output: () => output,
    async until(pattern: RegExp): Promise<void> {
      const heard = Promise.withResolvers<void>();
      const listener = () => {
        if (pattern.test(output)) heard.resolve();
      };
      listeners.add(listener);
      listener();
      void ended.then(() => heard.reject(new Error(`it ended without ${pattern}:\n${output}`)));
      await heard.promise;
      listeners.delete(listener);
    },
    async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
      child.kill(signal);
      return ended;
    },
  };
}
