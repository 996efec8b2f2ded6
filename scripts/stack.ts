import { z } from 'zod';
import { $ } from 'zx';
import { manifest } from './releases/manifest.ts';

/** An output that not every stack has: the program exports null then, as Pulumi warns of what is undefined. */
const unlessNull = <T>(schema: z.ZodType<T>) => schema.nullish().transform((value) => value ?? undefined);

/** What `infra/index.ts` exports; the contract between the program and the commands that people run. */
const outputs = z.object({
  url: z.url(),
  releaseId: z.string(),
  namespace: z.string(),
  bindAddress: z.string(),
  dockerHost: unlessNull(z.string()),
  certificates: z.enum(['own', 'acme']),
  schemaHead: z.string(),
  manifest: manifest.optional(),
  supabaseUrl: z.url(),
  supabasePublishableKey: z.string(),
  supabaseSecretKey: z.string(),
  /** Of the database, with its password; undefined where only a token for it is known. */
  databaseUrl: unlessNull(z.string()),
  redisCommanderUrl: unlessNull(z.url()),
  embedded: z.boolean(),
});
export type StackOutputs = z.output<typeof outputs>;

const quiet = $({ quiet: true, nothrow: true });

/** Outputs of the stack's last update, secrets included. Throws, with the remedy, when there was none. */
export async function stackOutputs(stack: string): Promise<StackOutputs> {
  const shown = await quiet`pulumi stack output --json --show-secrets -s ${stack}`;
  if (shown.exitCode !== 0) {
    throw new Error(
      `The outputs of stack ${stack} can't be read: ${shown.stderr.trim()}\nIs it deployed? npm run up -- --stack ${stack}`,
    );
  }
  const parsed = outputs.safeParse(JSON.parse(shown.stdout));
  if (!parsed.success) {
    const missing = parsed.error.issues.map(({ path }) => path.join('.')).join(', ');
    throw new Error(`Stack ${stack} was not deployed to its end (no ${missing}). Run: npm run up -- --stack ${stack}`);
  }
  return parsed.data;
}

export async function stackExists(stack: string): Promise<boolean> {
  const listed = await $({ quiet: true })`pulumi stack ls --json`;
  const stacks = z.array(z.object({ name: z.string() })).parse(JSON.parse(listed.stdout));
  return stacks.some(({ name }) => name === stack || name.endsWith(`/${stack}`));
}

/** The value of a key in the stack's configuration; undefined where it is not set. */
export async function configValue(stack: string, key: string): Promise<string | undefined> {
  const shown = await quiet`pulumi config get ${key} -s ${stack}`;
  return shown.exitCode === 0 ? shown.stdout.trim() : undefined;
}

/** For values that are no secret: whoever lists the processes of this machine sees them. */
export async function setConfig(stack: string, key: string, value: string): Promise<void> {
  const set = await quiet`pulumi config set ${key} ${value} -s ${stack}`;
  if (set.exitCode === 0) return;
  const said = set.stderr.trim();
  throw new Error(
    /looks like a secret/.test(said)
      ? `${key} looks like a secret, which no command line should hold. Set it, and be asked for it: npm run pulumi -- config set --secret ${key} -s ${stack}`
      : `${key} of stack ${stack} could not be set: ${said}`,
  );
}
