import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { BoxSession } from '../../scripts/box/box-session.ts';
import { askFacts, readFacts } from '../../scripts/box/facts.ts';
import { applyStep } from '../../scripts/box/prepare.ts';
import type { BoxWishes } from '../../scripts/box/step.ts';
import { firewall } from '../../scripts/box/steps/firewall.ts';
import { sshHardening } from '../../scripts/box/steps/ssh-hardening.ts';
import { type Fixture, startFixture } from '../real/embedded-supabase/support.ts';
import { type Checkout, type CommandResult, freshCheckout } from '../support/checkout.ts';
import { baseImage } from '../support/containers.ts';
import { type SecondBox, startSecondBox } from '../support/second-box.ts';

const prepared = z.object({
  done: z.number(),
  missing: z.number(),
  steps: z.array(z.object({ step: z.string(), state: z.string(), what: z.string() })),
});
const deployed = z.object({ release: z.string() });
const stack = ['--stack', 'optiplex'];

describe('a stack on another machine, over SSH', () => {
  let box: SecondBox;
  let checkout: Checkout;
  let record: Fixture;

  beforeAll(async () => {
    [box, checkout] = await Promise.all([startSecondBox({ bare: true }), freshCheckout({ prepared: true })]);
    vi.stubEnv('PATH', box.path);
    record = await startFixture({ host: box.gateway, maxFileSize: 64 * 2 ** 20 });
    const config = {
      profile: 'optiplex',
      dockerHost: box.dockerHost,
      images: 'local',
      namespace: checkout.config.namespace,
      supabaseUrl: record.url,
      databaseUrl: record.postgres.url,
      supabasePublishableKey: record.settings.publishableKey,
      supabaseSecretKey: record.settings.secretKey,
      supabaseJwtSecret: record.settings.jwtSecret,
    };
    const lines = Object.entries(config).map(([key, value]) => `  conversation-kit:${key}: ${JSON.stringify(value)}\n`);
    await writeFile(join(checkout.directory, 'Pulumi.optiplex.yaml'), `config:\n${lines.join('')}`);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await record?.close();
    await box?.stop();
    await checkout?.remove();
  });

  const up = (...args: string[]) => checkout.npm('up', ...stack, '--no-smoke', '--json', ...args);
  const release = (result: CommandResult) => deployed.parse(lastJson(result)).release;
  /** Names of the containers of the service that run on the box. */
  const services = async () => {
    const filter = `label=conversation-kit.role=service`;
    return (await box.onConsole(`docker ps --format '{{.Names}}' --filter ${filter}`)).trim().split('\n').sort();
  };
  const health = () => checkout.npm('health', ...stack);

  describe('is prepared', () => {
    const prepare = (...args: string[]) =>
      checkout.npm('box', 'prepare', 'optiplex', '--login', 'admin', '--json', ...args);

    it('after being looked at, which changes nothing', async () => {
      await box.onConsole('mkdir -p /etc/docker && echo \'{"debug": false}\' >/etc/docker/daemon.json');
      const before = await box.onConsole('ls -R /etc | md5sum; getent passwd | md5sum');
      const looked = await prepare('--check');
      expect(looked.exitCode, looked.output).toBe(1);
      const { steps, done, missing } = prepared.parse(lastJson(looked));
      expect(done).toBe(0);
      expect(missing).toBe(steps.length);
      expect(await box.onConsole('ls -R /etc | md5sum; getent passwd | md5sum')).toBe(before);
    });

    it('once: the second time changes nothing', async () => {
      const first = succeeded(await prepare('--yes'));
      expect(prepared.parse(lastJson(first)).done).toBeGreaterThan(5);
      const again = succeeded(await prepare('--yes'));
      expect(prepared.parse(lastJson(again))).toMatchObject({ done: 0, missing: 0 });
      const looked = succeeded(await prepare('--check'));
      expect(prepared.parse(lastJson(looked)).steps.map(({ state }) => state)).toEqual(Array(9).fill('in place'));
    });

    it('so that it is what the steps say', async () => {
      const daemon = JSON.parse(await box.onConsole('cat /etc/docker/daemon.json'));
      expect(daemon).toEqual({
        debug: false,
        'log-driver': 'json-file',
        'log-opts': { 'max-size': '10m', 'max-file': '5' },
        'live-restore': true,
      });
      const units = 'docker conversation-kit-firewall unattended-upgrades apt-daily-upgrade.timer systemd-timesyncd';
      expect((await box.onConsole(`systemctl is-enabled ${units}`)).trim().split('\n')).toEqual(
        Array(5).fill('enabled'),
      );
      expect(await box.onConsole('sshd -T')).toMatch(/^passwordauthentication no$/m);
      expect(await box.onConsole('id -nG deploy; passwd -S deploy')).toMatch(/^deploy docker\ndeploy L /);
      expect(await box.onConsole('sudo -l -U deploy')).toContain('not allowed to run sudo');
      expect(await box.onConsole('systemctl list-timers --all')).not.toContain('conversation-kit');
    });

    it('and lets nothing in but SSH, also of what a container publishes', async () => {
      const ports = '-p 0.0.0.0:8081:8080';
      const server = 'busybox httpd -f -p 8080 -h /etc';
      await box.onConsole(`docker run -d --rm --name published ${ports} ${baseImage()} ${server}`);
      await box.onConsole('systemd-run --unit=listener python3 -m http.server 8082');
      await box.onConsole(`until bash -c '</dev/tcp/127.0.0.1/8082' 2>/dev/null; do sleep 0.2; done`);
      expect(await Promise.all([22, 8081, 8082].map((port) => isReached(box.host, port)))).toEqual([
        true,
        false,
        false,
      ]);
      await box.onConsole('docker rm -f published; systemctl stop listener');
    });

    it('and gives back what would have locked its owner out', async () => {
      const session = await BoxSession.open({ host: box.sshHost, user: 'admin' });
      try {
        const facts = readFacts((await session.run(askFacts)).stdout);
        const wishes: BoxWishes = { deployUser: 'deploy', keys: [], sshFrom: ['172.16.0.0/12'], published: undefined };
        const away = new Error('no answer');
        const cutOff = {
          session: { run: session.run.bind(session), proveLogin: () => Promise.reject(away) },
          facts,
          wishes,
        };
        const rules = await box.onConsole('nft list table inet conversation_kit');
        await expect(applyStep(firewall, cutOff)).rejects.toThrow(
          /a new login did not work, so this step was taken back/,
        );
        expect(await box.onConsole('nft list table inet conversation_kit')).toBe(rules);
        await expect(applyStep(sshHardening, cutOff)).rejects.toThrow(/taken back/);
        succeeded(await prepare('--yes'));
      } finally {
        await session.close();
      }
    });
  });

  describe('is deployed', () => {
    const releases: string[] = [];

    it('and answers through a tunnel, as nothing of it is published', async () => {
      const first = succeeded(await checkout.npm('up', ...stack, '--json'));
      releases.push(release(first));
      expect(await services()).toHaveLength(1);
      expect(succeeded(await health()).stdout).toContain('healthy');
      expect(await isReached(box.host, 443)).toBe(false);
    });

    it('and right after, there is nothing to do, with a refresh neither', async () => {
      const args = [
        '-s',
        'optiplex',
        '--refresh',
        '--yes',
        '--skip-preview',
        '--expect-no-changes',
        '--non-interactive',
      ];
      succeeded(await checkout.npm('pulumi', 'up', ...args));
    });

    it('anew as another release', async () => {
      releases.push(release(succeeded(await up('--config', 'logLevel=debug'))));
      expect(releases[1]).not.toBe(releases[0]);
      expect(await services()).toEqual([expect.stringContaining(releases[1] ?? '')]);
    });

    it('and keeps its release when the next one is no good', async () => {
      const program = join(checkout.directory, 'service', 'main.ts');
      const good = await readFile(program, 'utf8');
      await writeFile(program, `throw new Error('a bad release');\n${good}`);
      const failed = await up();
      expect(failed.exitCode, failed.output).toBe(1);
      expect(failed.output).toContain('a bad release');
      succeeded(await health());
      await writeFile(program, good);
      succeeded(await up());
      expect(await services()).toEqual([expect.stringContaining(releases[1] ?? '')]);
    });

    it('and goes back to an earlier one', async () => {
      succeeded(await checkout.npm('rollback', ...stack, '--to', '1', '--yes'));
      expect(await services()).toEqual([expect.stringContaining(releases[0] ?? '')]);
      succeeded(await health());
    });

    it('and survives a network that goes away in the middle of an update', async () => {
      const update = checkout.start('up', ...stack, '--no-smoke', '--config', 'logLevel=warn');
      await vi.waitFor(async () => expect(await services()).toHaveLength(2), { timeout: 180_000, interval: 200 });
      await box.cutNetwork();
      const cut = await update.ended;
      await box.restoreNetwork();
      expect(cut.exitCode, cut.output).toBe(1);
      expect(cut.output).toMatch(/does not answer: it is off, away from the network/);
      succeeded(await health());
      succeeded(await up());
      expect(await services()).toHaveLength(1);
      succeeded(await health());
    });
  });

  describe('is served in the LAN', () => {
    it('on an address that it has, and no other is tried', async () => {
      const refused = await up('--config', 'bindAddress=192.168.254.254');
      expect(refused.exitCode, refused.output).toBe(1);
      expect(refused.output).toMatch(/192\.168\.254\.254 is no address of the box, which has .*\d/);
      succeeded(await health());

      const bind = ['config', 'set', 'bindAddress', box.host, '-s', 'optiplex'];
      succeeded(await checkout.npm('pulumi', ...bind));
      succeeded(await checkout.npm('box', 'prepare', 'optiplex', '--login', 'admin', '--yes'));
      succeeded(await up());
      expect(await isReached(box.host, 443)).toBe(true);
      succeeded(await health());
    });
  });

  describe('says what is wrong with SSH, and what mends it', () => {
    it('when the host key is another one', async () => {
      const known = join(box.home, '.ssh', 'known_hosts');
      const text = await readFile(known, 'utf8');
      await writeFile(known, text.replace(/[A-Za-z0-9+/]{20}$/m, 'A'.repeat(20)));
      const refused = await up();
      await writeFile(known, text);
      expect(refused.exitCode, refused.output).toBe(1);
      expect(refused.output).toMatch(new RegExp(`host key is not the one.*\\n.*ssh-keygen -R ${box.sshHost}`));
    });

    it('when the key is not let in', async () => {
      await box.onConsole('mv ~deploy/.ssh/authorized_keys ~deploy/.ssh/kept');
      const refused = await up();
      await box.onConsole('mv ~deploy/.ssh/kept ~deploy/.ssh/authorized_keys');
      expect(refused.exitCode, refused.output).toBe(1);
      expect(refused.output).toMatch(/does not accept any of the keys(.|\n)*authorized_keys of deploy/);
      succeeded(await health());
    });
  });
});

/** Whether a connection is taken there. What is dropped says nothing, so it is waited for, for a while. */
function isReached(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1500 });
    const say = (reached: boolean) => () => {
      socket.destroy();
      resolve(reached);
    };
    socket.once('connect', say(true));
    socket.once('timeout', say(false));
    socket.once('error', say(false));
  });
}

function succeeded(result: CommandResult): CommandResult {
  expect(result.exitCode, result.output).toBe(0);
  return result;
}

function lastJson({ stdout }: CommandResult): unknown {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}
