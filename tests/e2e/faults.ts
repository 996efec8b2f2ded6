import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { $ } from 'zx';
import { Client } from '../../scripts/smoke/client.ts';
import type { Checkout } from '../support/checkout.ts';
import { freePort } from '../support/containers.ts';

const quiet = $({ quiet: true });
const roles = ['redis', 'postgres', 'supabase', 'service', 'caddy'] as const;

/** What a deployed stack has to take: mistakes of people, and the loss of any one process. */
export function describeFaults(deployed: () => Checkout): void {
  describe('bad input is answered clearly and changes nothing', () => {
    it('names every mistake in the configuration at once', async () => {
      const refused = await deployed().npm(
        'up',
        '--config=httpPort=eighty',
        '--config=logLevel=loud',
        '--config=colour=blue',
      );
      expect(refused.exitCode).toBe(1);
      expect(refused.output).toContain('httpPort: "eighty" must be a whole number');
      expect(refused.output).toContain('logLevel: "loud" must be');
      expect(refused.output).toContain('colour: there is no such key');
      expect(refused.output).not.toMatch(/^\s+at .+\.[mt]?[jt]s:\d+/m);
      await expectUnchanged(deployed());
    });

    it('takes a slip in the name of a stack for one', async () => {
      for (const command of [['up'], ['deploy', '--yes']] as const) {
        const [script, ...options] = command;
        const refused = await deployed().npm(script, '--stack', 'optiplx', ...options);
        expect(refused.exitCode).toBe(1);
        expect(refused.output).toContain('There are: local, optiplex, ryzen');
      }
      expect(existsSync(join(deployed().directory, 'Pulumi.optiplx.yaml'))).toBe(false);
    });

    it('says who has a port that it needs', async () => {
      const port = await freePort();
      const holder = createServer();
      await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
      try {
        const refused = await deployed().npm('up', `--config=httpPort=${port}`);
        expect(refused.exitCode).toBe(1);
        expect(refused.output).toMatch(new RegExp(`port ${port} is taken by .+ \\(process ${process.pid}\\)`));
      } finally {
        holder.close();
      }
      await deployed().npm('pulumi', 'config', 'set', 'httpPort', deployed().config.httpPort, '-s', 'local');
      await expectUnchanged(deployed());
    });

    it('names file and line of a broken migration, and applies nothing of it', async () => {
      const name = '29990101000000_broken.sql';
      const file = join(deployed().directory, 'migrations', name);
      await writeFile(file, 'create table public.half_made (id int primary key);\n\nselect no_such_function();\n');
      const refused = await deployed().npm('up');
      await rm(file);
      expect(refused.exitCode).toBe(1);
      expect(refused.output).toMatch(new RegExp(`${name}:3`));
      const tables =
        await quiet`docker exec ${container(deployed(), 'postgres')} psql -h /run/postgresql -U postgres -Atc ${"select to_regclass('public.half_made') is null"}`;
      expect(tables.stdout.trim()).toBe('t');
      const mended = await deployed().npm('up', '--no-smoke');
      expect(mended.exitCode, mended.output).toBe(0);
      await expectUnchanged(deployed());
    });

    it('answers an unknown option with the usage and exit code 2', async () => {
      const refused = await deployed().npm('up', '--colour=blue');
      expect(refused.exitCode).toBe(2);
      expect(refused.output).toContain('--stack <name>');
    });
  });

  describe('after kill -9', () => {
    it.each(roles)('of %s the stack comes back by itself with every acknowledged message', async (role) => {
      const client = await openClient(deployed());
      try {
        await client.untilHealthy(60);
        const id = await client.create();
        const writer = new Writer(client, id);
        await writer.untilAcknowledged(5);
        await killMainProcess(deployed(), role);
        await client.untilHealthy(90);
        await writer.untilAcknowledged(writer.acknowledged.length + 5);
        await writer.stop();
        // What was acknowledged while Supabase was away is stored a moment after it is back.
        await expect.poll(async () => (await client.read(id)).pending, { timeout: 30_000 }).toEqual([]);
        const messages = await everyMessage(client, id);
        const kept = new Set(messages.map(({ content }) => content));
        expect(writer.acknowledged.filter((text) => !kept.has(text))).toEqual([]);
        expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, index) => index + 1));
      } finally {
        await client.close();
      }
    });
  });
}

const page = z.object({
  messages: z.array(z.object({ seq: z.number(), content: z.unknown() })),
  has_more: z.boolean(),
});
type Page = z.output<typeof page>;

async function everyMessage(client: Client, id: string): Promise<Page['messages']> {
  const messages: Page['messages'] = [];
  for (let isEnd = false; !isEnd; ) {
    const reply = await client.send('GET', `/v1/conversations/${id}/messages?after=${messages.at(-1)?.seq ?? 0}`);
    const { messages: next, has_more } = page.parse(reply.body);
    messages.push(...next);
    isEnd = !has_more;
  }
  return messages;
}

/** Appends one message after the other until it is stopped, and remembers what was acknowledged. */
class Writer {
  readonly acknowledged: string[] = [];
  #stopped = false;
  readonly #run: Promise<void>;

  constructor(client: Client, id: string) {
    this.#run = this.#write(client, id);
  }

  async #write(client: Client, id: string): Promise<void> {
    while (!this.#stopped) {
      const text = randomUUID();
      const status = await client
        .append(id, [{ client_message_id: text, role: 'user', content: text }])
        .then(({ status }) => status)
        .catch(() => 0); // a connection that breaks is not an acknowledgement; the next round writes another message
      if (status === 201 || status === 202) this.acknowledged.push(text);
      await delay(20);
    }
  }

  async untilAcknowledged(count: number): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (this.acknowledged.length < count && Date.now() < deadline) await delay(20);
    expect(this.acknowledged.length).toBeGreaterThanOrEqual(count);
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#run;
  }
}

async function expectUnchanged(checkout: Checkout): Promise<void> {
  const preview = await checkout.npm('pulumi', 'preview', '-s', 'local', '--expect-no-changes', '--non-interactive');
  expect(preview.exitCode, preview.output).toBe(0);
}

const outputs = z.object({ url: z.string(), supabaseSecretKey: z.string() });

async function openClient(checkout: Checkout): Promise<Client> {
  const shown = await checkout.npm('pulumi', 'stack', 'output', '-s', 'local', '--json', '--show-secrets');
  const { url, supabaseSecretKey } = outputs.parse(JSON.parse(shown.stdout));
  const authority = join(checkout.directory, '.kit', 'root.crt');
  await quiet`docker cp ${container(checkout, 'caddy')}:/data/caddy/pki/authorities/local/root.crt ${authority}`;
  return Client.open({ url, address: '127.0.0.1', key: supabaseSecretKey, certificateAuthority: authority });
}

function container(checkout: Checkout, role: string): string {
  return `${checkout.config.namespace}-${role}`;
}

/** Kills what the container is there for: the child of its init, not the init itself, which would pass the signal on. */
async function killMainProcess(checkout: Checkout, role: (typeof roles)[number]): Promise<void> {
  const filters = [`label=conversation-kit.stack=${checkout.config.namespace}`, `label=conversation-kit.role=${role}`];
  const found = await quiet`docker ps -q ${filters.flatMap((filter) => ['--filter', filter])}`;
  const inspected = await quiet`docker inspect --format {{.State.Pid}} ${found.stdout.trim()}`;
  const init = inspected.stdout.trim();
  const children = await readFile(`/proc/${init}/task/${init}/children`, 'utf8');
  process.kill(Number(children.trim().split(' ')[0]), 'SIGKILL');
}
