import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baseImage } from '../../support/containers.ts';
import { PulumiProject } from '../../support/pulumi-project.ts';
import { engine, Share } from './docker-provider.ts';

/** The stand-in as Pulumi uses it: the real CLI, a program of the official SDK. */
const share = new Share();
const project = new PulumiProject('docker');
beforeAll(() => project.start());
afterAll(async () => {
  project.end();
  await share.end();
});

const labels = JSON.stringify(share.labels);
const container = (more: string): string => `
  const labels = ${labels};
  const network = new docker.Network('net', { labels });
  const data = new docker.Volume('data', { name: '${share.name('data')}', labels });
  const { imageId } = new docker.RemoteImage('image', { name: '${baseImage()}', keepLocally: true });
  const container = new docker.Container('box', {
    name: '${share.name('box')}', image: imageId, labels, readOnly: true, init: true, logDriver: 'json-file',
    entrypoints: ['sh', '-c', 'cat /data/password; while :; do sleep 0.1; done'],
    networkMode: 'bridge', networksAdvanced: [{ name: network.name, aliases: ['box'] }],
    volumes: [{ volumeName: data.name, containerPath: '/data' }],
    uploads: [{ file: '/data/password', content: pulumi.secret('hunter2\\n') }],
    healthcheck: { tests: ['CMD', 'test', '-e', '/data/password'], interval: '200ms' },
    wait: true, waitTimeout: 30, ${more}
  });
  export const id = container.id;`;

const expectNoChange = async () => {
  const preview = await project.pulumi('preview', '--expect-no-changes', '--diff');
  expect(preview.text).toContain('unchanged');
  expect(preview.exitCode).toBe(0);
};
const up = (...more: string[]) => project.pulumi('up', '--yes', '--skip-preview', ...more);
const box = () => engine.getContainer(share.name('box'));

describe('a stack of a network, a volume, an image and a container', () => {
  it('comes up, and a second preview is empty', async () => {
    project.program(container(''));
    const preview = await project.pulumi('preview');
    expect(preview).toMatchObject({ exitCode: 0, text: expect.stringContaining('+ 5 to create') });
    expect(await up()).toMatchObject({ exitCode: 0, text: expect.stringContaining('+ 5 created') });
    await expectNoChange();
  });

  it('keeps secret inputs secret in its state, and does not lose their resource on refresh', async () => {
    const { text } = await project.pulumi('stack', 'export');
    expect(text).not.toContain('hunter2');
    const refreshed = await project.pulumi('refresh', '--yes', '--skip-preview');
    expect(refreshed).toMatchObject({ exitCode: 0, text: expect.stringContaining('5 unchanged') });
    expect((await project.pulumi('stack', 'export')).text).not.toContain('hunter2');
    await expectNoChange();
  });

  it('changes in place what can be, and replaces the old container first where it can not', async () => {
    const before = (await box().inspect()).Id;
    project.program(container("memory: 64, memorySwap: 64, restart: 'unless-stopped'"));
    expect(await up()).toMatchObject({ exitCode: 0, text: expect.stringContaining('~ 1 updated') });
    expect((await box().inspect()).Id).toBe(before);
    project.program(container("memory: 64, memorySwap: 64, restart: 'unless-stopped', envs: ['A=1']"));
    expect(await up()).toMatchObject({ exitCode: 0, text: expect.stringContaining('1 replaced') });
    expect((await box().inspect()).Id).not.toBe(before);
    await expectNoChange();
  });

  it('is repaired after a container, and what it needs, were removed by hand', async () => {
    await box().remove({ force: true });
    for (const { Id } of await engine.listNetworks({ filters: { label: [`conversation-kit.test=${share.id}`] } }))
      await engine.getNetwork(Id).remove();
    await engine.getVolume(share.name('data')).remove();
    expect(await up('--refresh')).toMatchObject({ exitCode: 0, text: expect.stringContaining('+ 3 created') });
    expect((await box().inspect()).State.Health?.Status).toBe('healthy');
    await expectNoChange();
  });

  it('starts a container again that was stopped by hand', async () => {
    await box().stop({ t: 0 });
    expect(await up('--refresh')).toMatchObject({ exitCode: 0, text: expect.stringContaining('~ 1 updated') });
    expect((await box().inspect()).State.Running).toBe(true);
    await expectNoChange();
  });

  it('stays in its state, untouched, while the engine is away', async () => {
    const before = project.resources();
    const away = { DOCKER_HOST: 'unix:///no/such/docker.sock' };
    const refresh = await project.pulumiWith(away, 'refresh', '--yes', '--skip-preview');
    expect(refresh.exitCode).not.toBe(0);
    expect(refresh.text).toMatch(
      /the Docker engine at unix:\/\/\/no\/such\/docker.sock is not running.*systemctl start docker/,
    );
    const destroy = await project.pulumiWith(away, 'destroy', '--yes', '--skip-preview');
    expect(destroy.exitCode).not.toBe(0);
    expect(project.resources()).toEqual(before);
  });

  it('survives a release that does not become healthy: the next good one takes its place', async () => {
    project.program(
      container("memory: 64, memorySwap: 64, restart: 'unless-stopped', envs: ['A=1']")
        .replace('30,', '1,')
        .replace("'test', '-e'", "'test', '!', '-e'"),
    );
    const withHealthcheck = ['--target-replace', '**box'];
    const failed = await up(...withHealthcheck);
    expect(failed.exitCode).not.toBe(0);
    expect(failed.text).toMatch(/did not become healthy within 1 s; its last health check ended with 1/);
    expect(failed.text).toContain('hunter2'); // its log, as the container wrote it
    expect((await box().inspect()).State.Running).toBe(true);
    project.program(container("memory: 64, memorySwap: 64, restart: 'unless-stopped', envs: ['A=2']"));
    expect(await up()).toMatchObject({ exitCode: 0, text: expect.stringContaining('1 replaced') });
    await expectNoChange();
  });

  it('comes up after an update that was killed while it waited for the container', async () => {
    const slow = "envs: ['A=3'],".concat(" healthcheck: { tests: ['CMD', 'test', '-e', '/never'], interval: '1s' }");
    project.program(container(slow));
    await project.killedWhen((said) => said.includes('waiting until'), 'up', '--yes', '--skip-preview');
    expect((await box().inspect()).State.Running).toBe(true);
    await project.pulumi('cancel', '--yes', 'test');
    project.program(container("envs: ['A=4']"));
    const next = await up();
    expect(next).toMatchObject({ exitCode: 0, text: expect.stringContaining('left behind') });
    expect((await box().inspect()).Config.Env).toContain('A=4');
    await expectNoChange();
  });

  it('goes, and leaves nothing behind', async () => {
    expect(await project.pulumi('destroy', '--yes', '--skip-preview')).toMatchObject({ exitCode: 0 });
    expect(project.resources()).toEqual([]);
    const filters = { label: [`conversation-kit.test=${share.id}`] };
    expect(await engine.listContainers({ all: true, filters })).toEqual([]);
    expect(await engine.listNetworks({ filters })).toEqual([]);
    expect((await engine.listVolumes({ filters })).Volumes).toEqual([]);
    await expect(engine.getImage(baseImage()).inspect()).resolves.toBeDefined();
  });
});
