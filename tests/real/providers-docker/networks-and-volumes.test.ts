import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { baseImage } from '../../support/containers.ts';
import type { TestEngine } from '../../unit/providers/engine.ts';
import { create, driftOf, engine, Share } from './docker-provider.ts';

const share = new Share();
let networks: TestEngine;
let volumes: TestEngine;
beforeAll(async () => {
  networks = await share.provider('network');
  volumes = await share.provider('volume');
});
afterAll(() => share.end());

describe('a network', () => {
  it('is made as asked, reads back without a difference, and goes', async () => {
    const name = share.name('net');
    const wanted = { name, internal: true, labels: share.labels, ipamConfigs: [{ subnet: '10.213.7.0/24' }] };
    const made = await create(networks, wanted);
    expect(made.outputs).toMatchObject({
      id: made.id,
      name,
      driver: 'bridge',
      scope: 'local',
      internal: true,
      ipamDriver: 'default',
      labels: share.labels,
    });
    expect((await driftOf(networks, made, wanted)).paths).toEqual([]);
    await networks.delete(made.id, made.outputs);
    await expect(engine.getNetwork(made.id).inspect()).rejects.toMatchObject({ statusCode: 404 });
    await networks.delete(made.id, made.outputs);
    expect(await networks.read(made.id, made)).toMatchObject({ id: '' });
  });

  it('is taken over when an interrupted update left just such a one behind', async () => {
    const wanted = { name: share.name('left-behind'), labels: share.labels };
    const first = await create(networks, wanted);
    const second = await create(networks, wanted);
    expect(second.id).toBe(first.id);
    await vi.waitFor(() =>
      expect(networks.said).toContainEqual(expect.objectContaining({ message: expect.stringContaining('took over') })),
    );
    await expect(create(networks, { ...wanted, internal: true })).rejects.toMatchObject({
      details: expect.stringContaining(`docker network rm ${wanted.name}`),
    });
    await networks.delete(first.id, first.outputs);
  });

  it("is someone else's when it has no label in common", async () => {
    const name = share.name('foreign');
    await engine.createNetwork({ Name: name, Labels: { 'conversation-kit.test': share.id } });
    await expect(create(networks, { name })).rejects.toMatchObject({
      details: expect.stringContaining(`docker network rm ${name}`),
    });
  });

  it('waits for containers that are on their way out', async () => {
    const made = await create(networks, { name: share.name('busy'), labels: share.labels });
    const user = await engine.createContainer({
      Image: baseImage(),
      Entrypoint: ['sleep', '60'],
      Labels: { 'conversation-kit.test': share.id },
      HostConfig: { NetworkMode: share.name('busy') },
    });
    await user.start();
    const removal = networks.delete(made.id, made.outputs);
    await user.remove({ force: true });
    await removal;
    expect(await networks.read(made.id, made)).toMatchObject({ id: '' });
  });
});

describe('a volume', () => {
  it('is made as asked, reads back without a difference, and goes', async () => {
    const wanted = { name: share.name('vol'), labels: share.labels, driverOpts: { type: 'tmpfs', device: 'tmpfs' } };
    const made = await create(volumes, wanted);
    expect(made.id).toBe(wanted.name);
    expect(made.outputs).toMatchObject({
      ...wanted,
      driver: 'local',
      mountpoint: expect.stringContaining(wanted.name),
    });
    expect((await driftOf(volumes, made, wanted)).paths).toEqual([]);
    await volumes.delete(made.id, made.outputs);
    expect(await volumes.read(made.id, made)).toMatchObject({ id: '' });
    await volumes.delete(made.id, made.outputs);
  });

  it('that was there before is used, with a word when it is not as asked', async () => {
    const name = share.name('before');
    await engine.createVolume({ Name: name, Labels: { 'conversation-kit.test': share.id } });
    expect((await create(volumes, { name, labels: share.labels })).id).toBe(name);
    expect(volumes.said).toEqual([]);
    await create(volumes, { name });
    await vi.waitFor(() =>
      expect(volumes.said).toContainEqual(
        expect.objectContaining({ message: expect.stringContaining('was there before'), severity: 2 }),
      ),
    );
  });
});
