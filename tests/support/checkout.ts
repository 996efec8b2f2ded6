import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { $, kill } from 'zx';
import { freePort } from './containers.ts';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  /** Both streams, as a person would see them. */
  readonly output: string;
}

/** A command that runs in the background. */
export interface RunningCommand {
  /** When its output has that in it. Rejects with the output when it ends without. */
  until(text: RegExp): Promise<void>;
  /** Its end, whatever it has started meanwhile. */
  readonly ended: Promise<CommandResult>;
  /** What a Ctrl-C sends: SIGINT for all that shares its process group. */
  interrupt(): void;
  /** kill -9 for it and for everything that it has started, whatever process group that is in. */
  kill(): Promise<void>;
}

/** A copy of this checkout in a folder of its own, as a newcomer has it after cloning: nothing installed, nothing set up. */
export interface Checkout {
  readonly directory: string;
  /** Names and ports of its own, so that it runs beside any other stack of the machine. */
  readonly config: Readonly<Record<'namespace' | PortKey, string>>;
  /** Runs `npm run <script> -- <args>` in it, without the kit's own variables of this process. */
  npm(script: string, ...args: string[]): Promise<CommandResult>;
  /** The same without waiting for its end. */
  start(script: string, ...args: string[]): RunningCommand;
  /** Removes the folder. What still runs of its stack is removed before, by label. */
  remove(): Promise<void>;
}

type PortKey = 'httpPort' | 'httpsPort' | 'supabasePort' | 'postgresPort' | 'redisCommanderPort';
const portKeys: PortKey[] = ['httpPort', 'httpsPort', 'supabasePort', 'postgresPort', 'redisCommanderPort'];

const quiet = $({ quiet: true });

/**
 * `prepared`: with the tools and packages of this checkout and one commit, so that a test of something else than the
 * set-up begins within seconds. Its stacks, their state and passphrase are its own either way.
 */
export async function freshCheckout({ prepared = false } = {}): Promise<Checkout> {
  const directory = await mkdtemp(join(tmpdir(), 'conversation-kit-e2e-'));
  const listed = await quiet`git ls-files --cached --others --exclude-standard -z`;
  for (const file of listed.stdout.split('\0').filter((name) => name !== '')) {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await cp(file, join(directory, file), { verbatimSymlinks: true });
  }
  if (prepared) await prepare(directory);
  const namespace = `ck-e2e-${randomBytes(4).toString('hex')}`;
  const ports = new Map<PortKey, string>();
  for (const key of portKeys) ports.set(key, String(await freePort()));
  const config = { namespace, ...(Object.fromEntries(ports) as Record<PortKey, string>) };
  return {
    directory,
    config,
    npm: (script, ...args) => npm(directory, script, args),
    start: (script, ...args) => startNpm(directory, script, args),
    remove: async () => {
      await removeLeftovers(namespace);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Links in place of copies: half a gigabyte of packages that no command changes in place. */
async function prepare(directory: string): Promise<void> {
  await mkdir(join(directory, '.kit'));
  const tools = ['toolchain', 'bin', 'image-source'].map((name) => join('.kit', name));
  await quiet`cp --archive --link --no-target-directory node_modules ${join(directory, 'node_modules')}`;
  for (const tool of tools) await quiet`cp --archive --link --no-target-directory ${tool} ${join(directory, tool)}`;
  const git = $({ cwd: directory, quiet: true });
  await git`git init --quiet --initial-branch=main`;
  await git`git config user.name Tester`;
  await git`git config user.email tester@example.com`;
  await git`git add --all`;
  await git`git commit --quiet --message ${'The kit as it is'}`;
}

async function npm(directory: string, script: string, args: readonly string[]): Promise<CommandResult> {
  const run = await $({
    cwd: directory,
    env: newcomerEnvironment(),
    quiet: true,
    nothrow: true,
  })`npm run --silent ${script} -- ${args}`;
  return { exitCode: run.exitCode ?? 1, stdout: run.stdout, output: run.stdall };
}

function startNpm(directory: string, script: string, args: readonly string[]): RunningCommand {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd: directory,
    env: newcomerEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a process group of its own
  });
  let stdout = '';
  let output = '';
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString('utf8');
    output += text.toString('utf8');
  });
  child.stderr.on('data', (text: Buffer) => {
    output += text.toString('utf8');
  });
  const ended = new Promise<CommandResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve({ exitCode: code ?? 1, stdout, output }));
  });
  const until = (text: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (text.test(output)) resolve();
      };
      for (const stream of [child.stdout, child.stderr]) stream.on('data', look);
      look();
      ended.then(() => reject(new Error(`it ended without ${text}:\n${output}`)), reject);
    });
  const pid = () => {
    if (child.pid === undefined) throw new Error(`npm run ${script} was never started`);
    return child.pid;
  };
  const interrupt = () => {
    process.kill(-pid(), 'SIGINT');
  };
  return { until, ended, interrupt, kill: () => kill(pid(), 'SIGKILL') };
}

/** This process's environment without what the set-up of the outer checkout has put into it. */
function newcomerEnvironment(): NodeJS.ProcessEnv {
  const path = (process.env.PATH ?? '')
    .split(':')
    .filter((entry) => !entry.includes('/.kit/') && !entry.includes('node_modules/.bin'));
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(PULUMI_|KIT_|npm_|INIT_CWD$|NODE_|VITEST)/.test(name),
  );
  return { ...Object.fromEntries(kept), PATH: path.join(':') };
}

/** Containers, volumes and networks that carry the stack's label. */
export async function dockerObjects(
  namespace: string,
): Promise<{ containers: string[]; volumes: string[]; networks: string[] }> {
  const filter = `label=conversation-kit.stack=${namespace}`;
  const [containers, volumes, networks] = await Promise.all([
    quiet`docker ps -aq --filter ${filter}`,
    quiet`docker volume ls -q --filter ${filter}`,
    quiet`docker network ls -q --filter ${filter}`,
  ]);
  const lines = ({ stdout }: { stdout: string }) => stdout.split('\n').filter((line) => line !== '');
  return { containers: lines(containers), volumes: lines(volumes), networks: lines(networks) };
}

async function removeLeftovers(namespace: string): Promise<void> {
  const { containers, volumes, networks } = await dockerObjects(namespace);
  if (containers.length > 0) await quiet`docker rm -f ${containers}`;
  if (volumes.length > 0) await quiet`docker volume rm ${volumes}`;
  if (networks.length > 0) await quiet`docker network rm ${networks}`;
}
