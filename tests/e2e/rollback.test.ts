import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { $ } from 'zx';
import { Client } from '../../scripts/smoke/client.ts';
import { type Checkout, type CommandResult, freshCheckout } from '../support/checkout.ts';

const quiet = $({ quiet: true });

const outputs = z.object({
  url: z.string(),
  supabaseSecretKey: z.string(),
  releaseId: z.string(),
  manifest: z.object({
    program: z.object({ commit: z.string(), snapshot: z.string(), clean: z.boolean() }),
    images: z.record(z.string(), z.object({ reference: z.string(), id: z.string() })),
    configDigest: z.string(),
  }),
});
type Outputs = z.output<typeof outputs>;
const list = z.object({
  releases: z.array(
    z.object({
      number: z.number(),
      release: z.string().nullable(),
      live: z.boolean(),
      refusals: z.array(z.string()),
      changes: z
        .object({
          program: z.array(z.string()),
          config: z.array(z.string()),
          images: z.array(z.string()),
          migrations: z.array(z.string()),
        })
        .nullable(),
    }),
  ),
});

describe('npm run rollback', () => {
  let checkout: Checkout;
  let client: Client;
  // A release; the same with another program and a migration, without a commit; the same with another configuration.
  let [a, b, c]: Outputs[] = [];
  const migration = '20991231000000_room_for_notes';

  beforeAll(async () => {
    checkout = await freshCheckout({ prepared: true });
    await changeProgram('a'); // so that its image is not that of anybody else's stack
    await quiet`git -C ${checkout.directory} commit --all --quiet --message ${'Program a'}`;
    const flags = Object.entries({ ...checkout.config, redisCommander: 'false' }).map(
      ([key, value]) => `--config=${key}=${value}`,
    );
    succeeded(await checkout.npm('up', '--no-smoke', ...flags));
    a = await stackOutputs();
    client = await openClient(a);
    await changeProgram('b');
    await writeFile(
      join(checkout.directory, 'migrations', `${migration}.sql`),
      'alter table public.conversations add column notes text;\n',
    );
    succeeded(await checkout.npm('up', '--no-smoke'));
    b = await stackOutputs();
    await setSecret(
      'chatUpstreams',
      '{"default":"none","upstreams":{"none":{"url":"http://none.invalid","model":"none"}}}',
    );
    succeeded(await checkout.npm('up', '--no-smoke', '--config', 'logLevel=debug'));
    c = await stackOutputs();
  });
  afterAll(async () => {
    await client?.close();
    await checkout?.remove();
    for (const one of [a, b])
      if (one) await quiet`docker image rm --force ${one.manifest.images.service?.id ?? ''}`.nothrow();
  });

  it('knows what each release consists of, and what it brought', async () => {
    expect(a?.manifest.program.clean).toBe(true);
    expect(b?.manifest.program).toMatchObject({ commit: a?.manifest.program.commit, clean: false });
    expect(c?.manifest.program).toEqual(b?.manifest.program);
    expect(c?.manifest.configDigest).not.toBe(b?.manifest.configDigest);

    const [third, second, first] = await listed();
    expect(third).toMatchObject({ number: 3, release: c?.releaseId, live: true, refusals: [] });
    expect(third?.changes).toEqual({
      program: [],
      config: ['chatUpstreams (secret)', 'logLevel: not set → debug'],
      images: [],
      migrations: [],
    });
    expect(second).toMatchObject({ number: 2, release: b?.releaseId, live: false, refusals: [] });
    expect(second?.changes).toMatchObject({ program: ['changes without a commit'], migrations: [migration] });
    expect(second?.changes?.images).toContain('service');
    expect(first).toMatchObject({ number: 1, release: a?.releaseId, live: false, refusals: [], changes: null });
  });

  it('asks nobody where there is nobody, and takes no nonsense', async () => {
    expect((await checkout.npm('rollback', '--to', '1')).exitCode).toBe(2);
    expect((await checkout.npm('rollback', '--to', 'yesterday', '--yes')).exitCode).toBe(2);
    const unknown = await checkout.npm('rollback', '--to', '99', '--yes');
    expect(unknown.exitCode).toBe(1);
    expect(unknown.output).toContain('has no update 99');
    const live = await checkout.npm('rollback', '--to', '3', '--yes');
    expect(live.exitCode).toBe(1);
    expect(live.output).toContain('it is live');
  });

  it('goes back to an older program over a newer schema, builds nothing, and leaves data and working tree alone', async () => {
    const id = await client.create();
    const text = randomUUID();
    await client.append(id, [{ client_message_id: text, role: 'user', content: text }]);
    const tree = await workingTree();
    // What a build would be made of: it would have to lay that out again.
    const contexts = join(checkout.directory, '.kit', 'images');
    await rm(contexts, { recursive: true });
    const since = Math.floor(Date.now() / 1000);

    const back = succeeded(await checkout.npm('rollback', '--to', '1', '--yes'));
    expect(back.output).toContain(`is back at update 1: release ${a?.releaseId} serves`);
    expect(back.output).toContain('Your working tree and its configuration still have the');

    expect(await servingRelease()).toBe(a?.releaseId);
    expect(await stackOutputs()).toEqual(a);
    expect((await client.read(id)).messages.map(({ content }) => content)).toEqual([text]);
    expect(await imageEvents(since)).toEqual([]);
    expect(namesIn(contexts)).toEqual([]);
    expect(await workingTree()).toEqual(tree);
  });

  it('goes forth again, with the secrets of that time, when the first try is killed', async () => {
    const killed = checkout.start('rollback', '--to', '3', '--yes', '--no-smoke');
    await killed.until(/gate: restart/);
    await killed.kill();
    expect(await servingRelease()).toBe(a?.releaseId);
    succeeded(await checkout.npm('rollback', '--to', '3', '--yes', '--no-smoke'));
    expect(await servingRelease()).toBe(c?.releaseId);
    expect((await stackOutputs()).manifest).toEqual(c?.manifest);
    // What was laid out is what the working tree has: there is nothing to do for it.
    succeeded(await checkout.npm('pulumi', 'preview', '-s', 'local', '--expect-no-changes', '--non-interactive'));
  });

  it('refuses when an image is gone, or has lost its name', async () => {
    const { reference, id } = a?.manifest.images.service ?? { reference: '', id: '' };
    await quiet`docker tag ${id} ${checkout.config.namespace}:kept`;
    await quiet`docker image rm ${reference}`;
    const nameless = await checkout.npm('rollback', '--to', '1', '--yes');
    expect(nameless.exitCode).toBe(1);
    expect(nameless.output).toContain(`has lost its name. Give it back: docker tag ${id} ${reference}`);
    await quiet`docker tag ${id} ${reference}`;
    expect((await listed()).at(-1)?.refusals).toEqual([]);
    await quiet`docker image rm ${reference} ${checkout.config.namespace}:kept`;
    expect((await listed()).at(-1)?.refusals[0]).toContain(`${reference} is gone from the engine`);
    expect(await servingRelease()).toBe(c?.releaseId);
  });

  it('refuses to go behind a contract migration, and says why', async () => {
    await writeFile(
      join(checkout.directory, 'migrations', '20991231000001_no_notes.sql'),
      '-- contract: nobody reads notes any more\nalter table public.conversations drop column notes;\n',
    );
    succeeded(await checkout.npm('up', '--no-smoke'));
    const refused = await checkout.npm('rollback', '--to', '2', '--yes');
    expect(refused.exitCode).toBe(1);
    expect(refused.output).toMatch(/20991231000001_no_notes took away what it uses \(nobody reads notes any more\)/);
    expect(refused.output).toContain('nothing was changed');
    expect(await servingRelease()).toBe(c?.releaseId);
  });

  /** Another program of the service, which does the same. */
  const changeProgram = (name: string) =>
    appendFile(
      join(checkout.directory, 'service', 'main.ts'),
      `\nprocess.env.PROGRAM = '${name} of ${checkout.config.namespace}';\n`,
    );

  async function setSecret(key: string, value: string): Promise<void> {
    succeeded(await checkout.npm('pulumi', 'config', 'set', '--secret', key, value, '-s', 'local'));
  }

  async function stackOutputs(): Promise<Outputs> {
    const shown = await checkout.npm('pulumi', 'stack', 'output', '-s', 'local', '--json', '--show-secrets');
    return outputs.parse(JSON.parse(shown.stdout));
  }

  async function listed() {
    const { stdout } = succeeded(await checkout.npm('rollback', '--json'));
    return list.parse(JSON.parse(stdout)).releases;
  }

  /** What Caddy serves, which is more than what the state says. */
  async function servingRelease(): Promise<string> {
    const { stdout } = await quiet`docker exec ${checkout.config.namespace}-caddy live-release`;
    return /service-(\w+):/.exec(stdout)?.[1] ?? stdout;
  }

  async function openClient({ url, supabaseSecretKey }: Outputs): Promise<Client> {
    const authority = join(checkout.directory, '.kit', 'root.crt');
    const source = `${checkout.config.namespace}-caddy:/data/caddy/pki/authorities/local/root.crt`;
    await quiet`docker cp ${source} ${authority}`;
    return Client.open({ url, address: '127.0.0.1', key: supabaseSecretKey, certificateAuthority: authority });
  }

  /** The index and what differs from it, as git sees them, and the configuration. */
  async function workingTree() {
    const git = $({ cwd: checkout.directory, quiet: true });
    return {
      status: (await git`git status --porcelain=v2`).stdout,
      staged: (await git`git ls-files --stage`).stdout,
      config: await readFile(join(checkout.directory, 'Pulumi.local.yaml'), 'utf8'),
    };
  }

  /** What happened to the image of release A, and to nobody else's: builds and pulls end in a tag. */
  async function imageEvents(since: number): Promise<string[]> {
    const until = Math.ceil(Date.now() / 1000);
    const reference = a?.manifest.images.service?.reference ?? '';
    const { stdout } =
      await quiet`docker events --since ${since} --until ${until} --filter type=image --filter ${`image=${reference}`} --format ${'{{.Action}}'}`;
    return stdout.split('\n').filter((line) => line !== '');
  }
});

/** The names in a folder; none where there is none. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function succeeded(result: CommandResult): CommandResult {
  expect(result.exitCode, result.output).toBe(0);
  return result;
}
