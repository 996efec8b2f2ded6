import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { baseImage, freePort } from '../../support/containers.ts';
import { type Properties, storedDespite, type TestEngine } from '../../unit/providers/engine.ts';
import { create, driftOf, engine, Share } from './docker-provider.ts';

const share = new Share();
let containers: TestEngine;
let networks: TestEngine;
let volumes: TestEngine;
beforeAll(async () => {
  containers = await share.provider('container');
  networks = await share.provider('network');
  volumes = await share.provider('volume');
});
afterAll(() => share.end());

/** Stays until it is told to go. */
const waiting = ['sh', '-c', 'trap "exit 7" TERM; while :; do sleep 0.1; done'];
const bare = (what: string, more: Properties = {}): Properties => ({
  name: share.name(what),
  image: baseImage(),
  entrypoints: waiting,
  labels: share.labels,
  ...more,
});
const run = async (id: string, ...Cmd: string[]): Promise<string> => {
  const exec = await engine.getContainer(id).exec({ Cmd, AttachStdout: true, AttachStderr: true, Tty: true });
  const stream = await exec.start({ Tty: true });
  let said = '';
  for await (const piece of stream) said += String(piece);
  return said.trim();
};

describe('a hardened container', () => {
  it('gets all it asks for, and reads back without a difference', async () => {
    const network = await create(networks, { name: share.name('net'), labels: share.labels });
    const volume = await create(volumes, { name: share.name('secrets'), labels: share.labels });
    const port = await freePort();
    const wanted = bare('hardened', {
      user: '10001:10001',
      workingDir: '/tmp',
      hostname: 'tidy',
      init: true,
      readOnly: true,
      tmpfs: { '/tmp': 'rw,noexec,size=1m' },
      memory: 64,
      memorySwap: 64,
      cpus: '0.5',
      shmSize: 1,
      restart: 'unless-stopped',
      stopTimeout: 1,
      destroyGraceSeconds: 1,
      capabilities: { drops: ['ALL'] },
      securityOpts: ['no-new-privileges:true'],
      sysctls: { 'net.core.somaxconn': '64' },
      ulimits: [{ name: 'nofile', soft: 64, hard: 64 }], // runc may give a command the hard one
      envs: ['GREETING=hello'],
      hosts: [{ host: 'elsewhere', ip: '10.0.0.7' }],
      dns: ['10.0.0.8'],
      groupAdds: ['20'],
      logDriver: 'json-file',
      logOpts: { 'max-size': '1m' },
      networkMode: 'bridge',
      networksAdvanced: [{ name: share.name('net'), aliases: ['tidy-alias'] }],
      ports: [{ internal: 8080, external: port, ip: '127.0.0.1' }],
      volumes: [{ volumeName: volume.id, containerPath: '/run/secrets' }],
      uploads: [
        { file: '/run/secrets/password', content: 'käse', permissions: '0444' },
        { file: '/run/secrets/deep/key', contentBase64: Buffer.from([0, 255]).toString('base64') },
      ],
      healthcheck: { tests: ['CMD', 'test', '-s', '/run/secrets/password'], interval: '200ms', retries: 2 },
      wait: true,
      waitTimeout: 30,
    });
    const made = await create(containers, wanted);

    expect(await run(made.id, 'cat', '/run/secrets/password')).toBe('käse');
    expect(await run(made.id, 'od', '-An', '-tx1', '/run/secrets/deep/key')).toBe('00 ff');
    expect(await run(made.id, 'stat', '-c', '%a %u', '/run/secrets/password')).toBe('444 0');
    expect(await run(made.id, 'sh', '-c', 'id -u; pwd; echo $GREETING; uname -n; ulimit -n')).toBe(
      ['10001', '/tmp', 'hello', 'tidy', '64'].join('\r\n'),
    );
    expect(await run(made.id, 'sh', '-c', 'touch /x')).toContain('Read-only file system');
    const { HostConfig, NetworkSettings, State } = await engine.getContainer(made.id).inspect();
    expect(State.Health?.Status).toBe('healthy');
    expect(HostConfig).toMatchObject({ Memory: 67_108_864, NanoCpus: 500_000_000, Init: true, CapDrop: ['ALL'] });
    expect(Object.keys(NetworkSettings.Networks)).toEqual([share.name('net')]);
    expect(NetworkSettings.Networks[share.name('net')]?.Aliases).toContain('tidy-alias');

    expect(made.outputs).toMatchObject({
      id: made.id,
      hostname: 'tidy',
      mustRun: true,
      memory: 64,
      logDriver: 'json-file',
    });
    expect(await driftOf(containers, made, wanted)).toMatchObject({ paths: [], replaces: [] });
    await containers.delete(made.id, made.outputs);
    expect(await containers.read(made.id, made)).toMatchObject({ id: '' });
    await containers.delete(made.id, made.outputs);
    await networks.delete(network.id, network.outputs);
  });
});

describe('drift', () => {
  it('shows a stopped container, and an update starts it', async () => {
    const wanted = bare('stopped', { ports: [{ internal: 80 }] });
    const made = await create(containers, wanted);
    await engine.getContainer(made.id).stop({ t: 30 });
    const { now, paths, replaces } = await driftOf(containers, made, wanted);
    expect({ paths, replaces }).toEqual({ paths: ['mustRun'], replaces: [] });
    expect(now.outputs).toMatchObject({ mustRun: false, exitCode: 7 });
    const outputs = await containers.update(made.id, now, made.inputs);
    expect(outputs).toMatchObject({ mustRun: true });
    expect((await engine.getContainer(made.id).inspect()).State.Running).toBe(true);
  });

  it('leaves a stopped container alone that need not run', async () => {
    const wanted = bare('may-stop', { mustRun: false });
    const made = await create(containers, wanted);
    await engine.getContainer(made.id).stop({ t: 30 });
    expect((await driftOf(containers, made, wanted)).paths).toEqual([]);
  });

  it('shows limits that were changed by hand, asked for or not, and an update sets them back', async () => {
    const wanted = bare('limited', { memory: 64, memorySwap: 64 });
    const made = await create(containers, wanted);
    await engine.getContainer(made.id).update({ Memory: 32 * 1024 * 1024, CpuShares: 99 });
    const { now, paths, replaces } = await driftOf(containers, made, wanted);
    expect(paths.sort()).toEqual(['cpuShares', 'memory']);
    expect(replaces).toEqual([]);
    await containers.update(made.id, now, made.inputs);
    expect((await engine.getContainer(made.id).inspect()).HostConfig.Memory).toBe(64 * 1024 * 1024);
  });

  it('shows a paused container, and an update lets it run', async () => {
    const wanted = bare('paused');
    const made = await create(containers, wanted);
    await engine.getContainer(made.id).pause();
    const { now, paths, replaces } = await driftOf(containers, made, wanted);
    expect({ paths, replaces }).toEqual({ paths: ['mustRun'], replaces: [] });
    await containers.update(made.id, now, made.inputs);
    expect((await engine.getContainer(made.id).inspect()).State).toMatchObject({ Running: true, Paused: false });
  });

  it('shows networks that a container was taken out of or put into, and one that is gone under a stopped one', async () => {
    const net = await create(networks, { name: share.name('own-net'), labels: share.labels });
    const networksAdvanced = [{ name: share.name('own-net'), aliases: ['me'] }];
    const wanted = bare('networked', { networkMode: 'bridge', networksAdvanced });
    const made = await create(containers, wanted);
    const differs = async () => {
      const { paths, replaces } = await driftOf(containers, made, wanted);
      return { differs: paths.length > 0, replaces };
    };
    const replaced = { differs: true, replaces: ['networksAdvanced'] };
    expect(await differs()).toEqual({ differs: false, replaces: [] });
    await engine.getNetwork('bridge').connect({ Container: made.id });
    expect(await differs()).toEqual(replaced);
    await engine.getNetwork('bridge').disconnect({ Container: made.id });
    await engine.getNetwork(net.id).disconnect({ Container: made.id });
    expect(await differs()).toEqual(replaced);
    await engine.getNetwork(net.id).connect({ Container: made.id }); // without its alias
    expect(await differs()).toEqual(replaced);
    await engine.getContainer(made.id).stop({ t: 0 });
    await engine.getNetwork(net.id).remove();
    expect((await differs()).replaces).toEqual(['networksAdvanced']);
  });

  it('is none right after an import', async () => {
    const made = await create(containers, bare('imported', { memory: 64, labels: share.labels, tmpfs: { '/t': '' } }));
    const imported = await containers.read(made.id);
    expect(imported).toMatchObject({
      id: made.id,
      inputs: { name: share.name('imported'), memory: 64, tmpfs: { '/t': '' } },
    });
    const { inputs, failures } = await containers.check(imported.inputs, imported.inputs);
    expect(failures).toEqual({});
    expect((await containers.diff(imported, inputs)).detaileddiffMap).toEqual([]);
  });

  it('tells what to do about a container that was removed by hand', async () => {
    const made = await create(containers, bare('removed'));
    await engine.getContainer(made.id).remove({ force: true });
    expect(await containers.read(made.id, made)).toMatchObject({ id: '' });
    await expect(containers.update(made.id, made, { ...made.inputs, memory: 32 })).rejects.toMatchObject({
      details: expect.stringContaining('pulumi refresh'),
    });
  });
});

describe('updates in place', () => {
  it('change what the engine can change, without a new container', async () => {
    const made = await create(containers, bare('changing', { memory: 32, memorySwap: 32 }));
    const news = { ...made.inputs, memory: 64, memorySwap: 64, restart: 'always' };
    const before = (await engine.getContainer(made.id).inspect()).State.StartedAt;
    expect(await containers.update(made.id, made, news)).toMatchObject({ memory: 64, restart: 'always' });
    const { HostConfig, State } = await engine.getContainer(made.id).inspect();
    expect(HostConfig).toMatchObject({ Memory: 67_108_864, RestartPolicy: { Name: 'always' } });
    expect(State.StartedAt).toBe(before);
  });

  it('say so when a change has to wait for the next container', async () => {
    const made = await create(containers, bare('held'));
    await containers.update(made.id, made, { ...made.inputs, tmpfs: { '/tmp': '' } });
    await vi.waitFor(() =>
      expect(containers.said).toContainEqual(
        expect.objectContaining({ severity: 2, message: expect.stringMatching(/^tmpfs: .*--target-replace/) }),
      ),
    );
  });
});

describe('the health gate', () => {
  const failing = { tests: ['CMD-SHELL', 'echo not yet >&2; exit 3'], interval: '100ms', retries: 1 };

  it('keeps a container that does not become healthy, with its last words, and the next update goes on with it', async () => {
    const wanted = bare('sick', {
      entrypoints: ['sh', '-c', 'echo opening; sleep 0.2; echo broken >&2; while :; do sleep 0.1; done'],
      healthcheck: { ...failing, tests: ['CMD-SHELL', 'test -e /tmp/well || { echo not yet; exit 3; }'] },
      wait: true,
      waitTimeout: 1,
    });
    const { inputs } = await containers.check(wanted);
    const error = await containers.create(inputs).catch((caught: unknown) => caught);
    const stored = storedDespite(error);
    expect(stored?.reasons).toHaveLength(1);
    expect(stored?.reasons[0]).toContain(`the container ${share.name('sick')} did not become healthy within 1 s`);
    expect(stored?.reasons[0]).toContain('ended with 3: not yet');
    expect(stored?.reasons[0]).toMatch(/ {2}opening\n {2}broken/);
    expect(stored?.outputs).toMatchObject({ name: share.name('sick'), mustRun: true });
    const id = stored?.id ?? '';
    expect((await engine.getContainer(id).inspect()).State.Running).toBe(true);

    const state = { inputs, outputs: stored?.outputs ?? {} };
    await expect(containers.update(id, state, inputs)).rejects.toMatchObject({
      details: expect.stringContaining('did not become healthy'),
    });
    await run(id, 'touch', '/tmp/well');
    expect(await containers.update(id, state, inputs)).toMatchObject({ id, mustRun: true });
  });

  it('does not wait for a container that has ended for good', async () => {
    const wanted = bare('ended', { entrypoints: ['sh', '-c', 'echo bye; exit 4'], healthcheck: failing, wait: true });
    const error = await create(containers, wanted).catch((caught: unknown) => caught);
    expect(storedDespite(error)?.reasons[0]).toMatch(/is not running \(exited, exit code 4\)[\s\S]*bye/);
  });

  it('says that there is no health check to wait for', async () => {
    const error = await create(containers, bare('no-check', { wait: true })).catch((caught: unknown) => caught);
    expect(storedDespite(error)?.reasons[0]).toContain(
      'neither the image nor the program gives the container a health check',
    );
  });

  it('ends early when the update is cancelled, and the container is not forgotten', async () => {
    const own = await share.provider('container');
    const { inputs } = await own.check(bare('cancelled', { healthcheck: failing, wait: true, waitTimeout: 60 }));
    const creation = own.create(inputs).catch((caught: unknown) => caught);
    await vi.waitFor(
      () => expect(own.said.map(({ message }) => message)).toContainEqual(expect.stringContaining('healthy')),
      20_000,
    );
    await own.cancel();
    const stored = storedDespite(await creation);
    expect(stored?.outputs).toMatchObject({ name: share.name('cancelled') });
  });
});

describe('failures before the start', () => {
  const exists = async (what: string) =>
    (await engine.listContainers({ all: true, filters: { name: [`^/${share.name(what)}$`] } })).length > 0;

  it('leave nothing behind', async () => {
    const wanted = bare('no-network', { networksAdvanced: [{ name: share.name('missing') }] });
    await expect(create(containers, wanted)).rejects.toMatchObject({
      details: expect.stringMatching(/no-network can't be .*network .*missing not found/),
    });
    expect(await exists('no-network')).toBe(false);
  });

  it('name the port that is taken', async () => {
    const port = await freePort();
    const ports = [{ internal: 80, external: port, ip: '127.0.0.1' }];
    await create(containers, bare('first', { ports }));
    await expect(create(containers, bare('second', { ports }))).rejects.toMatchObject({
      details: expect.stringMatching(new RegExp(`127.0.0.1:${port} is taken.*docker ps --filter publish=${port}`)),
    });
    expect(await exists('second')).toBe(false);
  });

  it('name the image that can not be had', async () => {
    const image = 'localhost:1/no/such:image';
    await expect(create(containers, bare('no-image', { image }))).rejects.toMatchObject({
      details: expect.stringContaining(`${image} can't be pulled from localhost:1`),
    });
  });

  it("do not touch a container of someone else's with the name", async () => {
    const foreign = await engine.createContainer({
      name: share.name('foreign'),
      Image: baseImage(),
      Entrypoint: waiting,
      Labels: { 'conversation-kit.test': share.id },
    });
    await expect(create(containers, bare('foreign'))).rejects.toMatchObject({
      details: expect.stringContaining(`docker rm -f ${share.name('foreign')}`),
    });
    await expect(foreign.inspect()).resolves.toMatchObject({ Id: foreign.id });
  });

  it('do not take the container that is to be replaced for one that was left behind', async () => {
    const made = await create(containers, bare('replaced'));
    await containers.diff(made, { ...made.inputs, envs: ['A=1'] });
    await expect(create(containers, bare('replaced', { envs: ['A=1'] }))).rejects.toMatchObject({
      details: expect.stringContaining('is to be replaced'),
    });
    expect((await engine.getContainer(made.id).inspect()).State.Running).toBe(true);
  });

  it('make way when the container is what an interrupted update left behind', async () => {
    const first = await create(containers, bare('remains'));
    const second = await create(containers, bare('remains'));
    expect(second.id).not.toBe(first.id);
    await vi.waitFor(() =>
      expect(containers.said).toContainEqual(
        expect.objectContaining({ message: expect.stringContaining('left behind') }),
      ),
    );
  });
});

describe('the end of a container', () => {
  it('is waited for on request, with its code and its log', async () => {
    const wanted = bare('job', {
      entrypoints: ['sh', '-c', 'echo done; exit 0'],
      attach: true,
      logs: true,
      mustRun: false,
    });
    const made = await create(containers, wanted);
    expect(made.outputs).toMatchObject({ exitCode: 0, containerLogs: 'done' });
    expect((await driftOf(containers, made, wanted)).paths).toEqual([]);
  });

  it('comes with the time to stop that was asked for', async () => {
    const wanted = bare('graceful', {
      entrypoints: ['sh', '-c', 'trap "sleep 0.5; echo >/kept/by; exit 0" TERM; while :; do sleep 0.1; done'],
      volumes: [{ volumeName: share.name('kept'), containerPath: '/kept' }],
      destroyGraceSeconds: 10,
    });
    await create(volumes, { name: share.name('kept'), labels: share.labels });
    const made = await create(containers, wanted);
    await delay(200); // the shell sets its trap a moment after the start, and nothing tells when
    await containers.delete(made.id, made.outputs);
    const look = await create(
      containers,
      bare('look', { volumes: [{ volumeName: share.name('kept'), containerPath: '/kept' }] }),
    );
    expect(await run(look.id, 'ls', '/kept')).toBe('by');
  });
});
