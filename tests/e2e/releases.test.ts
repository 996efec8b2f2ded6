import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { $ } from 'zx';
import { Client } from '../../scripts/smoke/client.ts';
import { type ChatUpstream, type ScriptedReply, startChatUpstream } from '../support/chat-upstream.ts';
import { type Checkout, type CommandResult, freshCheckout } from '../support/checkout.ts';
import { ClientLoad, chatEvents, type StackAddress } from './client-load.ts';

const quiet = $({ quiet: true });
const upReport = z.object({ service: z.url(), release: z.string(), certificateAuthority: z.string() });
const gateSeconds = z.tuple([z.string(), z.coerce.number()]);

let checkout: Checkout;
let upstream: ChatUpstream;
let address: StackAddress;
let client: Client;
/** The release that is to serve. */
let live: string;
let load: ClientLoad;

beforeAll(async () => {
  checkout = await freshCheckout({ prepared: true });
  // An address of this machine that its containers reach.
  const bridge = await quiet`docker network inspect bridge --format ${'{{(index .IPAM.Config 0).Gateway}}'}`;
  upstream = await startChatUpstream(bridge.stdout.trim());
  succeeded(await checkout.npm('pulumi', 'stack', 'init', 'local', '--no-select'));
  const models = ['config', 'set', '--secret', 'chatUpstreams', upstream.file(), '-s', 'local'];
  succeeded(await checkout.npm('pulumi', ...models));
  const flags = Object.entries(checkout.config).map(([key, value]) => `--config=${key}=${value}`);
  const up = succeeded(await checkout.npm('up', ...flags, '--config=redisCommander=false', '--no-smoke', '--json'));
  const { service, release, certificateAuthority } = upReport.parse(lastJson(up.stdout));
  live = release;
  const key = await checkout.npm('pulumi', 'stack', 'output', 'supabaseSecretKey', '--show-secrets', '-s', 'local');
  const authority = join(checkout.directory, certificateAuthority);
  address = { url: service, key: key.stdout.trim(), authority: await readFile(authority, 'utf8') };
  client = await Client.open({
    url: service,
    address: '127.0.0.1',
    key: address.key,
    certificateAuthority: authority,
  });
  load = await ClientLoad.start(address);
});
afterAll(async () => {
  await load?.stop(0);
  await client?.close();
  await checkout?.remove();
  await upstream?.close();
});

const deploy = () => checkout.npm('up', '--no-smoke', '--json');

describe('a good release under load', () => {
  it('fails no request, lets an answer under way end, and has WebSockets go on where they were', async () => {
    const before = live;
    const began = performance.now();
    const update = checkout.start('up', '--no-smoke', '--json', '--config=conversationTimeoutHours=25');
    await update.until(/gate: restart/);
    const story = storyteller();
    upstream.next(story.tell);
    const events = chatEvents(address);
    await story.begun;
    await load.untilAnotherThan(before);
    const switched = performance.now() - began;
    // The old release has been told to stop, and has an answer to finish.
    await until(async () => (await log(before, '--tail=500')).includes('told to stop'));
    story.end();
    const { exitCode, output, stdout } = await update.ended;
    expect(exitCode, output).toBe(0);
    live = upReport.parse(lastJson(stdout)).release;

    const [event, data] = (await events).at(-1) ?? [];
    const content = expect.stringMatching(/^Once upon a time( and then)+ the end$/);
    expect([event, data]).toMatchObject(['done', { answer: { content, metadata: { status: 'complete' } } }]);
    await until(async () => load.closeCodes.includes(1012));
    expect(load.failures).toEqual([]);
    expect(load.releases).toEqual([before, live]);
    expect(await releases()).toEqual([live]);
    const gate = gateSeconds.parse(/passed in ([\d.]+) s/.exec(output))[1];
    console.log(
      `switched ${seconds(switched)} after the start of up, gate ${gate} s, slowest request ${Math.round(load.slowest)} ms`,
    );
  });

  it('is followed by an empty plan, with a refresh, too', async () => {
    const preview = ['preview', '-s', 'local', '--refresh', '--expect-no-changes', '--non-interactive'];
    succeeded(await checkout.npm('pulumi', ...preview));
    const again = succeeded(await deploy());
    expect(again.output).toContain('unchanged');
    expect(again.output).not.toMatch(/gate: /);
    expect(again.output).not.toMatch(/\b(created|updated|replaced|deleted)\b/);
  });
});

/** Mistakes that a person could make, in the source of the service. */
const mistakes = [
  {
    what: 'crashes when it starts',
    file: 'service/run.ts',
    from: 'const log = createLogger(',
    to: "if (settings.port > 0) throw new Error('a defect at the start');\n  const log = createLogger(",
    says: [/failed at "self-test \(write\)": the service ended with 1 again and again/, /a defect at the start/],
  },
  {
    what: 'is healthy, and does not tell all that it was told',
    file: 'service/http/routes/conversation-routes.ts',
    from: 'return c.json({ ...thread.conversation, messages,',
    to: 'return c.json({ ...thread.conversation, messages: messages.slice(1),',
    says: [/failed at "self-test \(write\)": .* has 1 messages \(and 0 that wait\), not the 2 that were written/],
  },
  {
    what: 'never becomes healthy',
    file: 'service/health/health.ts',
    from: "status: isDown(true) ? 'unhealthy'",
    to: "status: probes.length > 0 ? 'unhealthy'",
    says: [/failed at "self-test \(write\)": .*not healthy within \d+ s\. unhealthy: release/],
  },
] as const;

describe.each(mistakes)('a release that $what', ({ file, from, to, says }) => {
  it('gets no request; the one before goes on, and the failure says why', async () => {
    const path = join(checkout.directory, file);
    const source = await readFile(path, 'utf8');
    expect(source).toContain(from);
    await writeFile(path, source.replace(from, to));
    const failed = await deploy();
    await writeFile(path, source);

    expect(failed.exitCode, failed.output).toBe(1);
    expect(failed.output).toContain(`service-${live}:8079 goes on serving`);
    for (const said of says) expect(failed.output).toMatch(said);
    expect(failed.output).toContain('The last lines of its log:');
    expect(failed.output).not.toContain(address.key);
    await expectServing();
    const rejected = (await releases()).filter((release) => release !== live);
    expect(rejected.length).toBeGreaterThan(0);
    for (const release of rejected) {
      expect(await log(release)).not.toContain(load.conversation);
      // It takes no memory and no turn at the outbox: it is there for a look.
      expect(await state(release)).toBe('exited');
    }
  });
});

describe('after failed releases', () => {
  it('the next good one cleans up', async () => {
    const mended = succeeded(await checkout.npm('up', '--no-smoke', '--json', '--config=conversationTimeoutHours=26'));
    live = upReport.parse(lastJson(mended.stdout)).release;
    expect(await releases()).toEqual([live]);
    await expectServing();
  });
});

describe('an update that is killed', () => {
  it.each([
    ['in the gate', /gate: restart/, '27'],
    ['in the switch', /live-release updating/, '28'],
  ])('%s fails no request, and the next one ends what it began', async (_when, moment, hours) => {
    const before = live;
    const update = checkout.start('up', '--no-smoke', '--json', `--config=conversationTimeoutHours=${hours}`);
    await update.until(moment);
    await update.kill();
    await load.untilAnswered();
    expect(load.failures).toEqual([]);
    const resumed = succeeded(await deploy());
    live = upReport.parse(lastJson(resumed.stdout)).release;
    expect(live).not.toBe(before);
    expect(await releases()).toEqual([live]);
    await expectServing();
  });
});

describe('Caddy', () => {
  it('serves the same release after a restart, and every message was heard once', async () => {
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.heard).toEqual(load.heard.map((_, index) => index + 1));
    await quiet`docker restart ${checkout.config.namespace}-caddy`;
    await client.untilHealthy(60);
    load = await ClientLoad.start(address, 1);
    await load.untilAnswered();
    expect(load.releases).toEqual([live]);
    await load.stop();
    expect(load.failures).toEqual([]);
  });
});

/** A model that goes on until it is told to end. */
function storyteller() {
  const begun = Promise.withResolvers<void>();
  let isOver = false;
  const tell = async ({ begin, delta, finish }: ScriptedReply) => {
    begin();
    delta({ role: 'assistant', content: 'Once upon a time' });
    begun.resolve();
    do {
      delta({ content: ' and then' });
      await delay(200);
    } while (!isOver);
    delta({ content: ' the end' });
    finish();
  };
  const end = () => {
    isOver = true;
  };
  return { tell, begun: begun.promise, end };
}

/** Every request so far was answered, and those from now on by the live release. */
async function expectServing(): Promise<void> {
  expect(load.failures).toEqual([]);
  expect(await load.untilAnswered()).toBe(live);
}

/** Releases that there is a container of. */
async function releases(): Promise<string[]> {
  const filters = ['stack', 'role'].map((key, index) => {
    const value = [checkout.config.namespace, 'service'][index];
    return `--filter=label=conversation-kit.${key}=${value}`;
  });
  const { stdout } = await quiet`docker ps -a --format {{.Names}} ${filters}`;
  const names = stdout.split('\n').filter((name) => name !== '');
  return names.map((name) => name.replace(/^.*-service-/, ''));
}

const container = (release: string) => `${checkout.config.namespace}-service-${release}`;

async function state(release: string): Promise<string> {
  return (await quiet`docker inspect --format {{.State.Status}} ${container(release)}`).stdout.trim();
}

/** Empty when the container is gone. */
async function log(release: string, ...options: string[]): Promise<string> {
  return (await $({ quiet: true, nothrow: true })`docker logs ${options} ${container(release)}`).stdall;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  await expect.poll(holds, { timeout: 120_000, interval: 50 }).toBe(true);
}

function succeeded(result: CommandResult): CommandResult {
  expect(result.exitCode, result.output).toBe(0);
  return result;
}

const lastJson = (stdout: string): unknown => JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`;
