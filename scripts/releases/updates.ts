import { join } from 'node:path';
import { z } from 'zod';
import { backendText, namesIn, stackFolders } from './file-backend.ts';
import { type Manifest, manifest } from './manifest.ts';
import { type StackConfiguration, stackConfiguration } from './stack-configuration.ts';

/** One `pulumi up` or `pulumi destroy` of a stack, as the backend's history tells it. */
export interface Update {
  /** Its place in the history, the stack's first being 1. */
  readonly number: number;
  readonly kind: 'up' | 'destroy';
  /** When it ended. */
  readonly at: Date;
  /** `in-progress`: it is under way, or was killed. */
  readonly result: 'succeeded' | 'failed' | 'in-progress';
  readonly message: string;
  /** What it deployed; undefined where it did not succeed, or says nothing of it. */
  readonly manifest: Manifest | undefined;
  readonly config: StackConfiguration;
  /** Names on the engine begin with it. */
  readonly namespace: string | undefined;
  /** What keeps the record: `embedded`, or the address of the hosted project. */
  readonly record: string | undefined;
  /** Migrations that were applied when it ended, `<version>_<name>`, in order. */
  readonly migrations: readonly string[];
  /** Those of them that take away what earlier releases use, with their reasons. */
  readonly contracts: Readonly<Record<string, string>>;
  /** What of its files in the backend can't be read, and why. */
  readonly damage: string | undefined;
}

/** How many of the newest updates are read: their checkpoints are large. */
const readNewest = 100;

/** The newest hundred updates of a stack, the newest first. Throws where the backend is not a file backend. */
export async function readUpdates(stack: string): Promise<Update[]> {
  const { history, stacks } = stackFolders(stack);
  const names = namesIn(history)
    .flatMap((name) => {
      const [, path, time] = /^(.*-(\d+))\.history\.json(?:\.gz)?$/.exec(name) ?? [];
      return path === undefined ? [] : [{ path: join(history, path), time: Number(time) }];
    })
    .sort((left, right) => left.time - right.time)
    .map((entry, index) => ({ ...entry, number: index + 1 }));
  const newest = names.slice(-readNewest);
  const updates = newest.flatMap(({ path, time, number }) => readUpdate(path, time, number) ?? []);
  const last = newest.at(-1);
  const unfinished = last && unfinishedUpdate(join(stacks, `${stack}.json`), last.path, last.number + 1);
  return [...updates, ...(unfinished ? [unfinished] : [])].reverse();
}

/** What is deployed, as far as the history tells: the newest update that succeeded, unless all was taken down since. */
export function liveUpdate(updates: readonly Update[]): Update | undefined {
  const newest = updates.find(
    ({ kind, result, manifest }) => result === 'succeeded' && (kind === 'destroy' || manifest),
  );
  return newest?.kind === 'up' ? newest : undefined;
}

const historyEntry = z.object({
  kind: z.string(),
  endTime: z.number(),
  result: z.string(),
  message: z.string().default(''),
  config: z.record(z.string(), z.json()).nullish(),
});
const storedResource = z.object({ type: z.string(), outputs: z.record(z.string(), z.unknown()).optional() });
type StoredResource = z.output<typeof storedResource>;
const checkpoint = z.object({
  checkpoint: z.object({
    latest: z
      .object({
        secrets_providers: z.object({ type: z.string(), state: z.unknown() }).optional(),
        resources: z.array(storedResource).default([]),
      })
      .nullish(),
  }),
});

/** Undefined for what is neither an update nor a destroy: a refresh, an import. */
function readUpdate(path: string, time: number, number: number): Update | undefined {
  const entry = parsed(`${path}.history.json`, historyEntry);
  const left = parsed(`${path}.checkpoint.json`, checkpoint);
  const damage = [entry, left].flatMap(({ problem }) => problem ?? []).join('; ') || undefined;
  const kind = kinds.get(entry.value?.kind ?? 'update');
  if (!kind) return undefined;
  const latest = left.value?.checkpoint.latest;
  const outputs = stackOutputs.safeParse(latest?.resources.find(({ type }) => type === 'pulumi:pulumi:Stack')?.outputs);
  const succeeded = entry.value?.result === 'succeeded';
  return {
    number,
    kind,
    at: entry.value ? new Date(entry.value.endTime * 1000) : new Date(time / 1e6),
    result: succeeded ? 'succeeded' : 'failed',
    message: entry.value?.message ?? '',
    manifest: succeeded && kind === 'up' ? outputs.data?.manifest : undefined,
    config: stackConfiguration(entry.value?.config ?? {}, latest?.secrets_providers),
    namespace: outputs.data?.namespace,
    record: outputs.data?.embedded ? 'embedded' : outputs.data?.supabaseUrl,
    ...schema(latest?.resources),
    damage,
  };
}

const kinds = new Map<string, Update['kind']>([
  ['update', 'up'],
  ['destroy', 'destroy'],
]);
const stackOutputs = z.object({
  manifest: manifest.optional().catch(undefined),
  namespace: z.string().optional(),
  embedded: z.boolean().optional(),
  supabaseUrl: z.string().optional(),
});
const migrations = z.object({ applied: z.array(z.string()), contracts: z.record(z.string(), z.string()).default({}) });

function schema(resources: readonly StoredResource[] = []): Pick<Update, 'migrations' | 'contracts'> {
  const outputs = resources.find(({ type }) => type === 'supabase:index:Migrations')?.outputs;
  const { applied, contracts } = migrations.safeParse(outputs).data ?? { applied: [], contracts: {} };
  return { migrations: applied, contracts };
}

/**
 * The state is written all through an update, and copied into the history at its end: where the two differ, an update
 * is under way, or was killed, or somebody changed the state by hand.
 */
function unfinishedUpdate(state: string, newest: string, number: number): Update | undefined {
  const text = backendText(state);
  const copy = backendText(`${newest}.checkpoint.json`);
  if (text === undefined || copy === undefined || text === copy) return undefined;
  const left = parsed(state, checkpoint);
  const latest = left.value?.checkpoint.latest;
  return {
    number,
    kind: 'up',
    at: new Date(),
    result: 'in-progress',
    message: 'under way, or ended midway',
    manifest: undefined,
    config: stackConfiguration({}, latest?.secrets_providers),
    namespace: undefined,
    record: undefined,
    ...schema(latest?.resources),
    damage: left.problem,
  };
}

/** A file of the backend. What keeps it from being read is said, not thrown: the other updates are as good as before. */
function parsed<T>(path: string, schema: z.ZodType<T>): { value: T | undefined; problem: string | undefined } {
  try {
    const text = backendText(path);
    if (text === undefined) return { value: undefined, problem: `${path} is missing` };
    return { value: schema.parse(JSON.parse(text)), problem: undefined };
  } catch (error) {
    // The parser's own words would quote the file, and there may be anything in it.
    const kind = error instanceof z.ZodError ? 'is not what Pulumi writes' : 'is torn or unreadable';
    return { value: undefined, problem: `${path} ${kind}` };
  }
}
