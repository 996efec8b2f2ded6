import { randomBytes } from 'node:crypto';
import Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataLostError, dataVolume } from '../../../infra/providers/kit/data-volume.ts';
import type { ResourceContext } from '../../../infra/providers/plugin/resource.ts';

const docker = new Docker();
let volume: string;
let warnings: string[];
const context = (preview = false): ResourceContext<Record<string, never>> => ({
  urn: `urn:pulumi:local::conversation-kit::kit:index:DataVolume::redis-data`,
  preview,
  signal: AbortSignal.timeout(60_000),
  config: {},
  progress() {},
  warn: (line) => void warnings.push(line),
});
const wanted = (dockerHost?: string) => ({
  volume,
  holds: 'Redis',
  labels: { 'conversation-kit.role': 'redis', 'conversation-kit.stack': volume },
  ...(dockerHost ? { dockerHost } : {}),
});
type Known = Awaited<ReturnType<typeof dataVolume.create>>['outputs'];

const made = async (): Promise<Known> => (await dataVolume.create(wanted(), context())).outputs;
const remove = () => docker.getVolume(volume).remove();
const isThere = async () => (await docker.listVolumes({ filters: { name: [volume] } })).Volumes.length > 0;
const diff = (outputs: Known) => dataVolume.diff?.({ inputs: wanted(), outputs }, wanted(), context(true));
const update = (outputs: Known, preview = false) =>
  dataVolume.update?.(volume, { inputs: wanted(), outputs }, wanted(), context(preview));

beforeEach(() => {
  volume = `ck-test-${randomBytes(6).toString('hex')}`;
  warnings = [];
});
afterEach(async () => {
  delete process.env.CONVERSATION_KIT_ACCEPT_VOLUME;
  if (await isThere()) await remove();
});

describe('a volume with data', () => {
  it('is made with its labels at the first update, not at its preview, and no difference after that', async () => {
    await dataVolume.create(wanted(), context(true));
    expect(await isThere()).toBe(false);
    const outputs = await made();
    expect((await docker.getVolume(volume).inspect()).Labels).toEqual(wanted().labels);
    expect(await diff(outputs)).toEqual([]);
    expect(await dataVolume.read(volume, { inputs: wanted(), outputs }, context())).toMatchObject({
      inputs: wanted(),
      outputs,
    });
  });

  it('that is there already is taken as it is, by whomever it was made', async () => {
    await docker.createVolume({ Name: volume });
    expect(await diff(await made())).toEqual([]);
    expect((await docker.getVolume(volume).inspect()).Labels ?? {}).toEqual({});
  });

  it('that is gone fails preview and update, stays known to the state, and is not made anew', async () => {
    const outputs = await made();
    await remove();
    expect(await diff(outputs)).toEqual([{ path: 'found', kind: 'update' }]);
    const read = await dataVolume.read(volume, { inputs: wanted(), outputs }, context());
    expect(read?.outputs.found).toBe('gone');
    for (const preview of [true, false]) {
      const refused = update(read?.outputs ?? outputs, preview);
      await expect(refused).rejects.toThrow(DataLostError);
      await expect(refused).rejects.toThrow(`npm run up -- --stack local --accept-volume ${volume}`);
    }
    expect(await isThere()).toBe(false);
  });

  it('is missed when another one of its name is there, as an engine makes it for a container', async () => {
    const outputs = await made();
    await remove();
    await docker.createVolume({ Name: volume });
    expect(await diff(outputs)).toHaveLength(1);
    await expect(update(outputs)).rejects.toThrow('somebody made another of that name');
  });

  it('is made anew when its loss is accepted, by name, and missed again the next time', async () => {
    const outputs = await made();
    await remove();
    process.env.CONVERSATION_KIT_ACCEPT_VOLUME = `${volume}-other`;
    await expect(update(outputs)).rejects.toThrow(DataLostError);
    process.env.CONVERSATION_KIT_ACCEPT_VOLUME = `other,${volume}`;
    await update(outputs, true);
    expect(await isThere()).toBe(false);
    const anew = await update(outputs);
    expect(await isThere()).toBe(true);
    expect(warnings.at(-1)).toContain('is accepted');
    expect(anew && (await diff(anew))).toEqual([]);
  });

  it('is not missed by a preview that can’t reach the engine: it says what it did not check', async () => {
    const outputs = await made();
    const away = wanted('unix:///nowhere/docker.sock');
    expect(await dataVolume.diff?.({ inputs: away, outputs }, away, context(true))).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining(`Not checked: whether the volume ${volume} is still there`)]);
  });
});
