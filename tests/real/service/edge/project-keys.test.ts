import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Authentication } from '../../../../service/http/authentication.ts';
import { keyTimes } from '../../../../service/http/project-keys.ts';
import { type KeyServer, startKeyServer } from './key-server.ts';

let project: KeyServer;
let authentication: Authentication;
let troubles: unknown[];
let first: string;
let directory: string;
const user = randomUUID();

beforeEach(async () => {
  project = await startKeyServer();
  first = await project.addKey();
  troubles = [];
  directory = await mkdtemp(join(tmpdir(), 'project-keys-'));
  authentication = start();
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await project.close();
  await rm(directory, { recursive: true });
});

/** As a process does that starts. */
function start(): Authentication {
  const settings = { secretKey: 'sb_secret_0123456789', publicKeys: project.document, keptKeysDirectory: directory };
  return new Authentication(settings, (error) => troubles.push(error));
}
const kept = () => readFile(join(directory, 'project-keys.json'), 'utf8');

const identify = async (kid: string) => authentication.identify(`Bearer ${await project.sign(kid, user)}`);
const later = (milliseconds: number) => vi.setSystemTime(Date.now() + milliseconds);

describe('the keys of the project', () => {
  it('are asked for once, however many come at the same time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => identify(first)));
    await identify(first);
    expect(project.asked()).toBe(1);
  });

  it('stay good while the project is away, also when they are old', async () => {
    await identify(first);
    project.away(true);
    later(keyTimes.fresh * 3);
    for (let round = 0; round < 3; round++) expect(await identify(first)).toMatchObject({ id: user });
    await vi.waitFor(() => expect(troubles).toHaveLength(1));
    expect(project.asked()).toBe(2);
  });

  it('that were taken back are refused once the project was asked again', async () => {
    await identify(first);
    const second = await project.addKey();
    project.hide(first);
    later(keyTimes.fresh + 1);
    await identify(first); // asks, beside the request
    await vi.waitFor(() => expect(identify(first)).rejects.toMatchObject({ status: 401 }));
    expect(await identify(second)).toMatchObject({ id: user });
  });

  it('that are new are known at once, if the project was not asked just now', async () => {
    await identify(first);
    const second = await project.addKey();
    await expect(identify(second)).rejects.toMatchObject({ status: 401 });
    later(keyTimes.unknownKey + 1);
    expect(await identify(second)).toMatchObject({ id: user });
    expect(project.asked()).toBe(2);
  });

  it('can not be asked for while the project is away: 503, and one question a second', async () => {
    project.away(true);
    const reply = { status: 503, code: 'keys_unavailable', headers: { 'retry-after': '1' } };
    await expect(identify(first)).rejects.toMatchObject(reply);
    await expect(identify(first)).rejects.toMatchObject(reply);
    expect(project.asked()).toBe(1);
    project.away(false);
    later(keyTimes.afterFailure + 1);
    expect(await identify(first)).toMatchObject({ id: user });
  });
});

describe('a service that starts while the project is away', () => {
  const unavailable = { status: 503, code: 'keys_unavailable' };

  it('knows the keys that it was shown before, asks no request to wait for them, and renews them when it is back', async () => {
    await identify(first);
    project.away(true);
    authentication = start();
    const before = project.asked();
    for (let round = 0; round < 3; round++) expect(await identify(first)).toMatchObject({ id: user });
    expect(project.asked()).toBe(before + 1);
    const second = await project.addKey();
    await expect(identify(second)).rejects.toMatchObject(unavailable);

    project.away(false);
    project.hide(first);
    later(keyTimes.unknownKey + 1);
    await identify(first); // asks, beside the request
    await vi.waitFor(() => expect(identify(first)).rejects.toMatchObject({ status: 401 }));
    expect(await identify(second)).toMatchObject({ id: user });
    expect(await kept()).toContain(second);
    expect(await kept()).not.toContain(first);
    expect(await readdir(directory)).toEqual(['project-keys.json']);
  });

  it.each<[string, () => Promise<void> | void]>([
    ['older ones than it may trust', () => void later(keyTimes.kept + 1)],
    ['those of another project', async () => writeKept((text) => text.replace(project.url, 'http://other.example'))],
    ['a file that somebody broke', async () => writeKept((text) => text.slice(0, -9))],
    ['none at all', () => rm(join(directory, 'project-keys.json'))],
  ])('answers 503 with %s', async (_what, change) => {
    await identify(first);
    await change();
    project.away(true);
    authentication = start();
    await expect(identify(first)).rejects.toMatchObject(unavailable);
    project.away(false);
    later(keyTimes.afterFailure + 1);
    expect(await identify(first)).toMatchObject({ id: user });
  });

  it('goes on, and says so, where the keys can not be kept', async () => {
    await rm(directory, { recursive: true });
    await writeFile(directory, '');
    expect(await identify(first)).toMatchObject({ id: user });
    expect(String(troubles)).toContain("the keys can't be kept in");
  });

  async function writeKept(change: (text: string) => string): Promise<void> {
    await writeFile(join(directory, 'project-keys.json'), change(await kept()));
  }
});
