import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { $ } from 'zx';
import { type Checkout, type CommandResult, freshCheckout } from '../support/checkout.ts';
import { type OfflineBox, startOfflineBox } from '../support/offline-box.ts';

const madeBundle = z.object({
  file: z.string(),
  commit: z.string(),
  images: z.object({ list: z.array(z.object({ reference: z.string(), id: z.string() })) }),
});
type MadeBundle = z.output<typeof madeBundle>;

/** Commands on the box find what the bundle has brought, and the system's programs; the system's Node.js is no good there. */
const inKit = 'cd kit; PATH="$PWD/.kit/bin:/usr/sbin:/usr/bin:/sbin:/bin"';
/** Must appear nowhere but on the machine that it belongs to. */
const secret = `secret-${randomBytes(16).toString('hex')}`;

describe('a box without internet', () => {
  let checkout: Checkout;
  let box: OfflineBox;
  let bundle: MadeBundle;

  beforeAll(async () => {
    checkout = await freshCheckout({ prepared: true });
    box = await startOfflineBox();
    for (const path of [
      '.kit/passphrase',
      '.kit/state/.pulumi/stacks/conversation-kit/other.json',
      '.kit/pulumi-home/credentials.json',
      'Pulumi.local.yaml',
    ]) {
      await mkdir(dirname(join(checkout.directory, path)), { recursive: true });
      await writeFile(join(checkout.directory, path), JSON.stringify({ 'conversation-kit:note': secret }));
    }
  });
  afterAll(async () => {
    await box?.stop();
    await checkout?.remove();
  });

  it('has a bundle made for it; what was interrupted or killed on the way leaves nothing', async () => {
    const output = join(checkout.directory, 'bundles', 'kit.sh');
    const left = async () => [
      ...(await readdir(join(checkout.directory, 'bundles'))),
      ...(await readdir(join(checkout.directory, '.kit', 'bundles'))),
    ];
    const make = () => checkout.start('bundle', '--no-engine', '--output', output);
    const interrupted = make();
    await interrupted.until(/node\.tar\.gz: packing/);
    interrupted.interrupt();
    expect((await interrupted.ended).exitCode).not.toBe(0);
    await expect.poll(left, { timeout: 20_000 }).toEqual([]);

    const killed = make();
    await killed.until(/node\.tar\.gz: packing/);
    await killed.kill();
    await killed.ended;
    expect(await left()).toHaveLength(2);

    bundle = await makeBundle(checkout, '--output', output);
    expect(await left()).toEqual(['kit.sh']);
  });

  it('refuses a damaged bundle before anything is placed', async () => {
    await flipByte(bundle.file);
    const refused = await box.run(`sh ${bundle.file} kit`);
    expect(refused).toMatchObject({ exitCode: 1, output: expect.stringContaining('is damaged') });
    expect((await box.run('test ! -e kit')).exitCode).toBe(0);
    expect((await checkout.npm('bundle', '--verify', bundle.file)).exitCode).toBe(1);
    await flipByte(bundle.file);
  });

  it('gets the kit from one file, without a secret of the machine that made it', async () => {
    succeeded(await box.run(`sh ${bundle.file} kit`));
    const found = await box.run(`grep --recursive --files-with-matches --fixed-strings ${secret} kit`);
    expect(found).toMatchObject({ exitCode: 1, stdout: '' });
    expect((await box.run('ls -d kit/.kit/state kit/.kit/passphrase kit/Pulumi.local.yaml')).stdout).toBe('');
    expect((await box.run(`${inKit}; git status --porcelain; git rev-parse HEAD`)).stdout.trim()).toBe(bundle.commit);
  });

  it('could install the Docker engine from it, with all that it needs', async () => {
    const options = `node -e "
      import('./scripts/setup/kit.mjs').then(async ({ openKit }) => {
        const { bundledArchive } = await import('./scripts/setup/apt.mjs');
        const { installedBundle } = await import('./scripts/setup/bundle.mjs');
        const kit = openKit(process.cwd(), {});
        console.log(bundledArchive(kit, installedBundle(kit), 'a test').join(' '));
      })"`;
    // As if nothing at all were installed.
    const plan = await box.run(
      `${inKit}; apt="apt-get $(${options}) -o Dir::State::status=/dev/null"; $apt -q update; $apt -s --no-install-recommends install docker.io iptables git`,
    );
    for (const name of ['docker.io', 'iptables', 'git', 'libc6'])
      expect(succeeded(plan).stdout).toContain(`\nConf ${name} `);
  });

  it('deploys and smoke-tests from it, and sends nothing anywhere', async () => {
    const up = succeeded(await box.run(`${inKit} npm run --silent up -- --config=redisCommander=false --json`));
    expect(up.output).toContain('kept');
    for (const { reference, id } of bundle.images.list) {
      const there = await box.run(`docker image inspect --format '{{.Id}}' ${reference}`);
      expect(there.stdout.trim(), reference).toBe(id);
    }
    expect(await box.sentPackets()).toBe(0);
  });

  it('says at once what the bundle has not brought', async () => {
    const started = performance.now();
    const asked = await box.run(`${inKit}; mv node_modules/zod node_modules/.zod; npm run --silent health`);
    expect(asked).toMatchObject({ exitCode: 1, output: expect.stringContaining('not in the bundle') });
    expect(performance.now() - started).toBeLessThan(30_000);
    succeeded(await box.run('mv kit/node_modules/.zod kit/node_modules/zod'));
  });

  it('gets a release by a newer bundle, and goes on with its state, its configuration and its data', async () => {
    const id = succeeded(await box.run(inKitProgram(remember))).stdout.trim();
    const own = '.kit/passphrase Pulumi.local.yaml';
    const before = succeeded(
      await box.run(`${inKit}; sha256sum ${own}; npm run -s pulumi -- stack output -s local releaseId`),
    );

    await appendFile(join(checkout.directory, 'service/main.ts'), "\nprocess.title = 'newer';\n");
    await $({ cwd: checkout.directory, quiet: true })`git commit --quiet --all --message ${'A newer service'}`;
    const newer = await makeBundle(checkout, '--no-engine');
    succeeded(await box.run(`sh ${newer.file} kit`));
    const up = succeeded(await box.run(`${inKit} npm run --silent up -- --json --no-smoke`));

    const after = await box.run(`${inKit}; sha256sum ${own}; npm run -s pulumi -- stack output -s local releaseId`);
    const [release, ...kept] = before.stdout.trim().split('\n').toReversed();
    const [newRelease, ...stillKept] = succeeded(after).stdout.trim().split('\n').toReversed();
    expect(stillKept).toEqual(kept);
    expect(newRelease).not.toBe(release);
    expect(up.stdout).toContain(newRelease);
    expect(succeeded(await box.run(inKitProgram(recall(id)))).stdout).toContain('It is still here.');
    expect((await box.run(`${inKit}; git rev-list --count HEAD`)).stdout.trim()).toBe('2');
    expect(await box.sentPackets()).toBe(0);
  });
});

async function makeBundle(checkout: Checkout, ...options: string[]): Promise<MadeBundle> {
  const made = succeeded(await checkout.npm('bundle', '--json', ...options));
  return madeBundle.parse(JSON.parse(made.stdout.trim().split('\n').at(-1) ?? ''));
}

/** One in the middle; a second time mends it. */
async function flipByte(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const place = Math.floor((await file.stat()).size / 2);
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, place);
    byte.writeUInt8(byte.readUInt8() ^ 1);
    await file.write(byte, 0, 1, place);
  } finally {
    await file.close();
  }
}

/** A program that is the stack's client, run on the box. */
function inKitProgram(program: string): string {
  return `${inKit}; eval "$(npm run -s env)"; node --input-type=module - <<'END'
    import { stackOutputs } from './scripts/stack.ts';
    import { openStackClient } from './scripts/stack-client.ts';
    const client = await openStackClient(await stackOutputs('local'));
    ${program}
    await client.close();
END`;
}

const remember = `
  const id = await client.create();
  await client.append(id, [{ client_message_id: crypto.randomUUID(), role: 'user', content: 'It is still here.' }]);
  console.log(id);`;

const recall = (id: string) => `console.log(JSON.stringify((await client.read('${id}')).messages));`;

function succeeded(result: CommandResult): CommandResult {
  expect(result.exitCode, result.output).toBe(0);
  return result;
}
