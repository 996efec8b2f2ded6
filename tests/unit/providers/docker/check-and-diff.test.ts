import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerConfig } from '../../../../infra/providers/docker/config.ts';
import { dockerConfig } from '../../../../infra/providers/docker/config.ts';
import { container } from '../../../../infra/providers/docker/container/container.ts';
import { remoteImage } from '../../../../infra/providers/docker/image/remote-image.ts';
import { network } from '../../../../infra/providers/docker/network.ts';
import { volume } from '../../../../infra/providers/docker/volume.ts';
import type { AnyResourceDefinition } from '../../../../infra/providers/plugin/resource.ts';
import { onWire, type Properties, startEngine, type TestEngine } from '../engine.ts';

const started: TestEngine[] = [];
const serving = async (definition: AnyResourceDefinition<DockerConfig>): Promise<TestEngine> => {
  const engine = await startEngine({ name: 'docker', version: '5.2.0', config: dockerConfig, resources: [definition] });
  started.push(engine);
  await engine.configure();
  return engine;
};

let containers: TestEngine;
let networks: TestEngine;
let volumes: TestEngine;
let images: TestEngine;
beforeAll(async () => {
  containers = await serving(container);
  networks = await serving(network);
  volumes = await serving(volume);
  images = await serving(remoteImage);
});
afterAll(() => Promise.all(started.map((engine) => engine.close())));

/** Checks and compares as the engine does: each side as it is recorded. */
async function differences(engine: TestEngine, olds: Properties, news: Properties) {
  const old = (await engine.check(olds)).inputs;
  const next = (await engine.check(news, old)).inputs;
  const { detaileddiffMap, replacesList, deletebeforereplace } = await engine.diff({ inputs: old }, next);
  return { paths: detaileddiffMap.map(([path]) => path), replaces: replacesList, deletesFirst: deletebeforereplace };
}

/** Where a container has to be replaced for another reason, the old one goes first all the same. */
const nothing = { paths: [], replaces: [], deletesFirst: true };

describe('check', () => {
  it("fills in the official plugin's defaults and notes which were not given", async () => {
    const { inputs, failures } = await containers.check({
      name: 'c',
      image: 'i',
      ports: [{ internal: 80 }],
      healthcheck: { tests: ['CMD', 'true'], interval: '5s' },
      tmpfs: { '/tmp': 'size=1m' },
    });
    expect(failures).toEqual({});
    expect(inputs).toEqual({
      __defaults: [
        'containerReadRefreshTimeoutMilliseconds',
        'mustRun',
        'networkMode',
        'removeVolumes',
        'restart',
        'start',
        'waitTimeout',
      ],
      name: 'c',
      image: 'i',
      containerReadRefreshTimeoutMilliseconds: 15_000,
      mustRun: true,
      networkMode: 'bridge',
      removeVolumes: true,
      restart: 'no',
      start: true,
      waitTimeout: 60,
      ports: [{ __defaults: ['ip', 'protocol'], internal: 80, ip: '0.0.0.0', protocol: 'tcp' }],
      healthcheck: {
        __defaults: ['startInterval', 'startPeriod', 'timeout'],
        tests: ['CMD', 'true'],
        interval: '5s',
        startInterval: '0s',
        startPeriod: '0s',
        timeout: '0s',
      },
      tmpfs: { '/tmp': 'size=1m' },
    });
  });

  it('names every input that the stand-in has not got', async () => {
    const { failures } = await containers.check({ name: 'c', image: 'i', gpus: 'all', deviceRequests: [{}] });
    expect(Object.keys(failures).sort()).toEqual(['deviceRequests', 'gpus']);
    expect(failures.gpus).toContain('install the official plugin');
    const ofImage = await images.check({ name: 'i', build: { context: '.', builder: 'x', secrets: [] } });
    expect(Object.keys(ofImage.failures).sort()).toEqual(['build.builder', 'build.secrets']);
  });

  it('says what is wrong with a value, and where', async () => {
    const { failures } = await containers.check({
      name: 'no spaces',
      image: '',
      restart: 'sometimes',
      cpus: 'two',
      memorySwap: -2,
      networksAdvanced: [{ name: 'n', aliases: 'a' }],
      healthcheck: { interval: 'soon' },
      uploads: [{ file: 'relative', content: 'x' }],
    });
    expect(Object.keys(failures).sort()).toEqual([
      'cpus',
      'healthcheck.interval',
      'image',
      'memorySwap',
      'name',
      'networksAdvanced[0].aliases',
      'restart',
      'uploads[0].file',
    ]);
    expect(failures.restart).toBe('must be no, on-failure, always or unless-stopped');
  });

  it('takes exactly one kind of content for an upload', async () => {
    const upload = async (content: Properties) =>
      (await containers.check({ name: 'c', image: 'i', uploads: [{ file: '/f', ...content }] })).failures;
    expect(await upload({ content: 'a' })).toEqual({});
    expect(Object.keys(await upload({}))).toEqual(['uploads[0]']);
    expect(Object.keys(await upload({ content: 'a', contentBase64: 'YQ==' }))).toEqual(['uploads[0]']);
    expect(await upload({ content: onWire.unknown })).toEqual({});
  });

  it('sees before the update that a file can not be put into a read-only container', async () => {
    const wanted = { name: 'c', image: 'i', readOnly: true, uploads: [{ file: '/run/secrets/a', content: 'x' }] };
    expect(Object.keys((await containers.check({ ...wanted, tmpfs: { '/run/secrets': '' } })).failures)).toEqual([
      'uploads[0].file',
    ]);
    const volumes = [{ volumeName: 'v', containerPath: '/run/secrets' }];
    expect((await containers.check({ ...wanted, volumes })).failures).toEqual({});
    expect(
      Object.keys((await containers.check({ ...wanted, volumes: [{ ...volumes[0], readOnly: true }] })).failures),
    ).toEqual(['uploads[0].file']);
  });

  it('sees that there is nothing to build from', async () => {
    const { failures } = await images.check({ name: 'i', build: { context: '/no/such/directory' } });
    expect(failures).toEqual({ 'build.context': 'there is no directory /no/such/directory' });
  });
});

describe('names', () => {
  it('makes one from the name in the program, and keeps it', async () => {
    const first = (await networks.check({})).inputs;
    expect(first.name).toMatch(/^thing-[0-9a-f]{7}$/);
    expect(first.__defaults).toEqual(['ipamDriver', 'name']);
    expect((await networks.check({ internal: true }, first)).inputs.name).toBe(first.name);
  });

  it("keeps one that the official plugin made, with or without that plugin's notes", async () => {
    const kept = async (stored: Properties) => (await volumes.check({}, stored)).inputs.name;
    expect(await kept({ name: 'thing-1234567', __defaults: ['name'] })).toBe('thing-1234567');
    expect(await kept({ name: 'thing-1234567' })).toBe('thing-1234567');
    expect(await kept({ name: 'chosen', __defaults: [] })).not.toBe('chosen');
  });
});

describe('diff', () => {
  const wanted = {
    name: 'c',
    image: 'i',
    envs: ['A=1', 'B=2'],
    command: ['a', 'b'],
    labels: [
      { label: 'x', value: '1' },
      { label: 'y', value: '2' },
    ],
    healthcheck: { tests: ['CMD', 'a'], interval: '60s' },
    memory: 64,
  };

  it.each<[string, Properties]>([
    ['the order of sets', { envs: ['B=2', 'A=1'], labels: [...wanted.labels].reverse() }],
    ['another way to write a duration', { healthcheck: { tests: ['CMD', 'a'], interval: '1m' } }],
    ['what is false, zero or empty', { privileged: false, memorySwap: 0, user: '', dns: [], sysctls: {} }],
    ['a default that is written out', { restart: 'no', mustRun: true, waitTimeout: 60, networkMode: 'bridge' }],
  ])('does not mind %s', async (_what, changes) => {
    expect(await differences(containers, wanted, { ...wanted, ...changes })).toEqual(nothing);
    expect(await differences(containers, { ...wanted, ...changes }, wanted)).toEqual(nothing);
  });

  it('reads states without the defaults that a newer plugin leaves out', async () => {
    const stored = { name: 'c', image: 'i', memory: 64, tty: false, privileged: false };
    const news = (await containers.check({ name: 'c', image: 'i', memory: 64 })).inputs;
    expect(await containers.diff({ inputs: stored }, news)).toMatchObject({ changes: 1, detaileddiffMap: [] });
  });

  it.each<[string, Properties]>([
    ['image', { image: 'j' }],
    ['command[1]', { command: ['a', 'c'] }],
    ['envs[1]', { envs: ['A=1', 'B=3'] }],
    ['labels[0].value', { labels: [{ label: 'x', value: '9' }, wanted.labels[1] ?? {}] }],
    ['uploads', { uploads: [{ file: '/f', content: 'x' }] }],
  ])('replaces a container for %s, the old one first', async (path, changes) => {
    const found = await differences(containers, wanted, { ...wanted, ...changes });
    expect(found).toEqual({ paths: [path], replaces: [path.split(/[.[]/)[0]], deletesFirst: true });
  });

  it.each<[string, Properties]>([
    ['memory', { memory: 128 }],
    ['restart', { restart: 'always' }],
    ['mustRun', { mustRun: false }],
    ['healthcheck.interval', { healthcheck: { tests: ['CMD', 'a'], interval: '2m' } }],
    ['tmpfs', { tmpfs: { '/tmp': '' } }],
  ])('changes a container in place for %s', async (path, changes) => {
    const found = await differences(containers, wanted, { ...wanted, ...changes });
    expect(found).toEqual({ ...nothing, paths: [path] });
  });

  it('expects a replacement where a value is not known yet', async () => {
    const found = await differences(containers, wanted, { ...wanted, image: onWire.unknown });
    expect(found).toEqual({ paths: ['image'], replaces: ['image'], deletesFirst: true });
  });

  it('deletes a network first only when the program chose its name', async () => {
    const own = await differences(networks, { name: 'n' }, { name: 'n', internal: true });
    expect(own).toEqual({ paths: ['internal'], replaces: ['internal'], deletesFirst: true });
    expect(await differences(networks, {}, { internal: true })).toEqual({ ...own, deletesFirst: false });
  });

  it('builds an image anew for what it is built from, not for what is done with it', async () => {
    const build = { context: '.', dockerfile: 'package.json' };
    const of = (changes: Properties) =>
      differences(images, { name: 'i', build }, { name: 'i', build: { ...build, ...changes } });
    expect(await of({ buildArgs: { A: '1' } })).toMatchObject({ paths: ['build.buildArgs'], replaces: ['build'] });
    expect(await of({ tags: ['j'] })).toMatchObject({ paths: ['build.tags'], replaces: [] });
    expect(await differences(images, { name: 'i' }, { name: 'i', build })).toMatchObject({ replaces: ['build'] });
    expect(await differences(images, { name: 'i' }, { name: 'i', keepLocally: true })).toMatchObject({ replaces: [] });
  });
});
