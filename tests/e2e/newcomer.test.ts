import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { $ } from 'zx';
import { type Checkout, type CommandResult, dockerObjects, freshCheckout } from '../support/checkout.ts';
import { describeFaults } from './faults.ts';

const quiet = $({ quiet: true });
const smokeReport = z.object({
  kept: z.boolean(),
  steps: z.array(z.object({ step: z.string(), tier: z.string().optional() })),
});
const upReport = z.object({ service: z.url(), release: z.string() });

describe('a newcomer, in a fresh clone', () => {
  let checkout: Checkout;
  let configFlags: string[];

  beforeAll(async () => {
    checkout = await freshCheckout();
    configFlags = Object.entries(checkout.config).map(([key, value]) => `--config=${key}=${value}`);
  });
  afterAll(() => checkout.remove());

  it('has everything up and smoke-tested with one command', async () => {
    const up = succeeded(await checkout.npm('up', ...configFlags, '--json'));
    expect(upReport.parse(lastJson(up.stdout)).service).toBe(`https://localhost:${checkout.config.httpsPort}`);
    expect(up.output).toContain('kept');
  }, 1_500_000); // on a new machine it compiles the tools and makes the images

  it('runs nothing as root, writable or with capabilities, and publishes on loopback only', async () => {
    const { containers } = await dockerObjects(checkout.config.namespace);
    await untilHealthy(containers); // the smoke tests have just restarted them
    expect(containers.length).toBeGreaterThanOrEqual(6);
    const inspected = await quiet`docker inspect ${containers}`;
    for (const container of hardening.parse(JSON.parse(inspected.stdout))) {
      expect(container, container.Name).toMatchObject({
        Config: { User: '10001:10001' },
        HostConfig: { ReadonlyRootfs: true, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges:true'], Init: true },
        State: { Health: { Status: 'healthy' } },
      });
      const addresses = Object.values(container.HostConfig.PortBindings ?? {}).flatMap((bindings) =>
        bindings.map(({ HostIp }) => HostIp),
      );
      expect(new Set([...addresses, '127.0.0.1']), container.Name).toEqual(new Set(['127.0.0.1']));
      expect(container.Config.Env.join('\n'), container.Name).not.toMatch(/sb_secret_|sb_publishable_|PASSWORD=/);
    }
  });

  it('sees an empty plan right after', async () => {
    succeeded(await checkout.npm('pulumi', 'preview', '-s', 'local', '--expect-no-changes', '--non-interactive'));
  });

  it('sees an empty plan after a refresh, too', async () => {
    succeeded(
      await checkout.npm('pulumi', 'preview', '-s', 'local', '--refresh', '--expect-no-changes', '--non-interactive'),
    );
  });

  it('can run the same command again: nothing changes', async () => {
    const again = succeeded(await checkout.npm('up', '--json'));
    expect(again.output).toMatch(/unchanged/);
    expect(again.output).not.toMatch(/\b(created|updated|replaced|deleted)\b/);
  });

  it('can smoke-test again: each tier gives the conversation back', async () => {
    const smoke = succeeded(await checkout.npm('smoke', '--json'));
    const report = smokeReport.parse(lastJson(smoke.stdout));
    expect(report.kept).toBe(true);
    expect(report.steps.map(({ tier }) => tier)).toEqual(expect.arrayContaining(['redis', 'supabase']));
  });

  it('can preview the stacks of both boxes', async () => {
    for (const stack of ['ryzen', 'optiplex']) {
      succeeded(await checkout.npm('pulumi', 'stack', 'init', stack, '--no-select'));
      const preview = succeeded(await checkout.npm('pulumi', 'preview', '-s', stack, '--non-interactive'));
      expect(preview.output).toContain('hosted Supabase');
      expect(preview.output).toMatch(/\d+ to create/);
    }
  });

  describeFaults(() => checkout);

  it('can take it down and keep the data, and goes on with it', async () => {
    succeeded(await checkout.npm('down'));
    const left = await dockerObjects(checkout.config.namespace);
    expect(left.containers).toEqual([]);
    expect(left.volumes.length).toBeGreaterThan(0);
    succeeded(await checkout.npm('up'));
  });

  it('leaves nothing behind when the data is to go, too', async () => {
    succeeded(await checkout.npm('down', '--volumes'));
    expect(await dockerObjects(checkout.config.namespace)).toEqual({ containers: [], volumes: [], networks: [] });
  });
});

const hardening = z.array(
  z.object({
    Name: z.string(),
    Config: z.object({ User: z.string(), Env: z.array(z.string()) }),
    HostConfig: z.object({
      ReadonlyRootfs: z.boolean(),
      CapDrop: z.array(z.string()),
      SecurityOpt: z.array(z.string()),
      Init: z.boolean(),
      PortBindings: z.record(z.string(), z.array(z.object({ HostIp: z.string() }))).nullable(),
    }),
    State: z.object({ Health: z.object({ Status: z.string() }) }),
  }),
);

async function untilHealthy(containers: readonly string[]): Promise<void> {
  const deadline = Date.now() + 60_000;
  const status = '{{.Name}} {{.State.Health.Status}}';
  for (;;) {
    const { stdout } = await quiet`docker inspect --format ${status} ${containers}`;
    if (
      stdout
        .trim()
        .split('\n')
        .every((line) => line.endsWith(' healthy'))
    )
      return;
    if (Date.now() > deadline) throw new Error(`not healthy within a minute:\n${stdout}`);
    await delay(200);
  }
}

function succeeded(result: CommandResult): CommandResult {
  expect(result.exitCode, result.output).toBe(0);
  return result;
}

function lastJson(stdout: string): unknown {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}
