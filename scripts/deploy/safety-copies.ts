import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { engineAt } from '../engine.ts';
import { stackContainers } from '../smoke/containers.ts';
import type { StackOutputs } from '../stack.ts';
import { checksum } from './copy-stream.ts';
import { dumpEmbedded, dumpHosted } from './postgres-copy.ts';
import { copyRedis } from './redis-copy.ts';
import { timestamp } from './timestamp.ts';

/** How many copies of a stack stay. */
const kept = 7;
const inProgress = '.in-progress';

export interface SafetyCopyOptions {
  readonly stack: string;
  readonly outputs: StackOutputs;
  /** The deploy that they are made for. */
  readonly deploy: string;
  /** Without the hosted project's database. */
  readonly withoutDump: boolean;
  readonly signal: AbortSignal;
}

/**
 * Copies what PostgreSQL and Redis hold to `backups/<stack>/<time>`, as it is before the deploy, and returns the folder. It
 * appears whole, checked and written to disk, or not at all; the oldest beyond seven go.
 */
export async function keepSafetyCopies({
  stack,
  outputs,
  deploy,
  withoutDump,
  signal,
}: SafetyCopyOptions): Promise<string> {
  const folder = join('backups', stack);
  const workspace = join(folder, inProgress);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await rm(workspace, { recursive: true, force: true });
  await mkdir(workspace, { mode: 0o700 });
  try {
    const options = { env: engineAt(outputs.dockerHost), signal };
    const containers = stackContainers(outputs);
    if (!withoutDump) {
      const dump = join(workspace, 'postgres.dump');
      if (outputs.embedded) await dumpEmbedded(await containers.name('postgres'), dump, options);
      else await dumpHosted(hostedDatabase(stack, outputs), dump, options);
    }
    await copyRedis(await containers.name('redis'), join(workspace, 'redis.rdb'), options);
    const files = await describeFiles(workspace);
    const manifest = { stack, deploy, release: outputs.releaseId, schema: outputs.schemaHead, files };
    await writeFile(join(workspace, 'manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`, {
      mode: 0o600,
      flush: true,
    });
    const target = join(folder, await freeName(folder));
    await rename(workspace, target);
    await syncFolder(folder);
    for (const name of superfluous(await readdir(folder))) await rm(join(folder, name), { recursive: true });
    return target;
  } catch (cause) {
    await rm(workspace, { recursive: true, force: true });
    signal.throwIfAborted();
    throw new Error(
      'The data could not be copied, so nothing is deployed. Where a server is down that the deploy would repair, ' +
        `npm run up -- --stack ${stack} does so without a copy`,
      { cause },
    );
  }
}

/** Takes away what a killed deploy has left half written. Returns whether there was anything. */
export async function removeHalfWritten(stack: string): Promise<boolean> {
  const folder = join('backups', stack);
  const names = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  if (!names.some((name) => name === inProgress)) return false;
  await rm(join(folder, inProgress), { recursive: true });
  return true;
}

/** The names of the copies beyond the newest seven. What has another kind of name is not ours to remove. */
export function superfluous(names: readonly string[]): string[] {
  const copies = names.filter((name) => /^\d{8}_\d{6}$/.test(name)).sort();
  return copies.slice(0, Math.max(0, copies.length - kept));
}

function hostedDatabase(stack: string, { databaseUrl }: StackOutputs): string {
  if (databaseUrl !== undefined) return databaseUrl;
  throw new Error(
    `The hosted database of stack ${stack} can't be dumped: its address or password is not in the configuration. ` +
      `Set it (pulumi config set --secret supabaseDatabasePassword <password> -s ${stack}), or, with a backup of ` +
      'Supabase’s own at hand, say --no-dump',
  );
}

async function describeFiles(folder: string): Promise<Record<string, { bytes: number; sha256: string }>> {
  const described: Record<string, { bytes: number; sha256: string }> = {};
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    described[name] = { bytes: (await stat(path)).size, sha256: await checksum(path) };
  }
  return described;
}

/** The time, or the next second that no other copy is named after. */
async function freeName(folder: string): Promise<string> {
  const taken = await readdir(folder);
  let at = Date.now();
  while (taken.includes(timestamp(new Date(at)))) at += 1000;
  return timestamp(new Date(at));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
