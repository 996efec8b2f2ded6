import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { contextDigest } from '../../../infra/providers/docker/image/context-digest.ts';
import { baseImage } from '../../support/containers.ts';
import type { Properties, TestEngine } from '../../unit/providers/engine.ts';
import { create, driftOf, engine, Share } from './docker-provider.ts';
import { Registry } from './registry.ts';

const share = new Share();
let remoteImages: TestEngine;
let images: TestEngine;
beforeAll(async () => {
  remoteImages = await share.provider('remoteImage');
  images = await share.provider('image');
});
afterAll(() => share.end());

let context: string;
beforeEach(async () => {
  context = await mkdtemp(join(tmpdir(), 'build-context-'));
});
afterEach(() => rm(context, { recursive: true }));
const write = async (files: Record<string, string>) => {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(context, name, '..'), { recursive: true });
    await writeFile(join(context, name), content);
  }
};
const labelled = `LABEL conversation-kit.test=${share.id}`;

/** Files below a folder of an image, with their content. */
async function filesIn(name: string, folder: string): Promise<Record<string, string>> {
  const container = await engine.createContainer({
    Image: name,
    Entrypoint: ['never started'],
    Labels: { 'conversation-kit.test': share.id },
  });
  const files: Record<string, string> = {};
  const unpacked = extract();
  (await container.getArchive({ path: folder })).pipe(unpacked);
  for await (const entry of unpacked)
    if (entry.header.type === 'file') files[entry.header.name] = await text(entry);
    else entry.resume();
  await container.remove();
  return files;
}

describe('a remote image that is built', () => {
  it('holds what is not ignored, keeps no difference, and goes', async () => {
    await write({
      Dockerfile: `ARG BASE\nFROM \${BASE}\n${labelled}\nCOPY . /context/\n`,
      '.dockerignore': 'Dockerfile\n*.log\n!keep.log\nnode_modules\n',
      'a.txt': 'a',
      'b.log': 'b',
      'keep.log': 'k',
      'node_modules/x': 'x',
      'deep/er/file': 'd',
    });
    const name = `${share.name('built')}:one`;
    const wanted = { name, build: { context, buildArgs: { BASE: baseImage() }, labels: { more: 'yes' } } };
    const made = await create(remoteImages, wanted);
    const { Id, Config } = await engine.getImage(name).inspect();
    expect(made).toMatchObject({ id: `${Id}${name}`, outputs: { imageId: Id, repoDigest: '', name } });
    expect(Config.Labels).toMatchObject({ more: 'yes' });
    const files = await filesIn(name, '/context');
    expect(Object.keys(files).sort()).toEqual([
      'context/.dockerignore',
      'context/a.txt',
      'context/deep/er/file',
      'context/keep.log',
    ]);
    expect(files['context/deep/er/file']).toBe('d');
    expect((await driftOf(remoteImages, made, wanted)).paths).toEqual([]);
    // Replaced by one of the same name in the same update, the old one must leave it alone; later it may go.
    await remoteImages.delete(made.id, made.outputs);
    await expect(engine.getImage(name).inspect()).resolves.toMatchObject({ Id });
    const later = await share.provider('remoteImage');
    await later.delete(made.id, made.outputs);
    expect(await later.read(made.id, made)).toMatchObject({ id: '' });
  });

  it('may take its Dockerfile from elsewhere, and other names along', async () => {
    await write({ 'app/data': 'd', 'files/Dockerfile.app': `FROM ${baseImage()}\n${labelled}\nCOPY data /data/\n` });
    const name = `${share.name('elsewhere')}:one`;
    const also = `${share.name('elsewhere')}:two`;
    const build = { context: join(context, 'app'), dockerfile: '../files/Dockerfile.app', tags: [also] };
    await create(remoteImages, { name, build });
    expect((await engine.getImage(also).inspect()).Id).toBe((await engine.getImage(name).inspect()).Id);
    expect(await filesIn(name, '/data')).toEqual({ 'data/data': 'd' });
  });

  it('reports the step that failed with what it said', async () => {
    await write({ Dockerfile: `FROM ${baseImage()}\n${labelled}\nRUN echo working; echo no luck >&2; exit 9\n` });
    const wanted = { name: share.name('broken'), build: { context, forceRemove: true } };
    const error = await create(remoteImages, wanted).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      details: expect.stringMatching(/can't be built: Step 3\/3 : RUN[\s\S]*code: 9[\s\S]* {2}no luck/),
    });
  });

  it('is kept on request', async () => {
    await write({ Dockerfile: `FROM ${baseImage()}\n${labelled}\n` });
    const name = `${share.name('kept')}:one`;
    const made = await create(remoteImages, { name, keepLocally: true, build: { context } });
    await (await share.provider('remoteImage')).delete(made.id, made.outputs);
    await expect(engine.getImage(name).inspect()).resolves.toMatchObject({ RepoTags: [name] });
  });

  it('is not removed under a container, and says which stands in the way', async () => {
    await write({ Dockerfile: `FROM ${baseImage()}\n${labelled}\nLABEL used=yes\n` });
    const name = `${share.name('used')}:one`;
    const made = await create(remoteImages, { name, build: { context } });
    const user = await engine.createContainer({
      Image: name,
      Entrypoint: ['sleep', '60'],
      Labels: { 'conversation-kit.test': share.id },
    });
    await user.start();
    const later = await share.provider('remoteImage');
    await expect(later.delete(made.id, made.outputs)).rejects.toMatchObject({
      details: expect.stringContaining(`docker ps -a --filter ancestor=${name}`),
    });
    await user.remove({ force: true });
  });
});

describe('a remote image that is not built', () => {
  it('is used as the engine has it, without asking a registry', async () => {
    const made = await create(remoteImages, { name: baseImage(), keepLocally: true });
    const { Id } = await engine.getImage(baseImage()).inspect();
    expect(made.outputs).toMatchObject({ imageId: Id, repoDigest: '' });
  });

  it('names the registry that does not answer', async () => {
    await expect(create(remoteImages, { name: 'localhost:1/no/such' })).rejects.toMatchObject({
      details: expect.stringMatching(/localhost:1\/no\/such can't be pulled from localhost:1: .*connection refused/),
    });
  });
});

describe('a registry', () => {
  const registry = new Registry();
  beforeAll(() => registry.start());
  afterAll(() => registry.stop());
  const config = () => ({ registryAuth: JSON.stringify([{ address: registry.host, ...registry.login }]) });
  const tiny = async (what: string) => {
    await write({ Dockerfile: `FROM scratch\n${labelled}\nCOPY file /\n`, file: what });
    return { skipPush: false, build: { context } };
  };

  it('gets an image, and gives it to an engine that has not got it', async () => {
    const imageName = `${registry.host}/${share.id}/tiny:v1`;
    const pushed = await create(images, { imageName, registry: registry.login, ...(await tiny('pushed')) });
    const digest = pushed.outputs.repoDigest;
    expect(digest).toMatch(new RegExp(`^${registry.host}/${share.id}/tiny@sha256:[0-9a-f]{64}$`));
    const { Id } = await engine.getImage(imageName).inspect();
    await engine.getImage(imageName).remove({ force: true });

    const provider = await share.provider('remoteImage', config());
    const pulled = await create(provider, { name: imageName });
    expect(pulled.outputs).toMatchObject({ imageId: Id, repoDigest: digest });
    await vi.waitFor(() =>
      expect(provider.said.map(({ message }) => message)).toContain(`pulling ${imageName}: 1 of 1 layers`),
    );
    const later = await share.provider('remoteImage', config());
    await later.delete(pulled.id, pulled.outputs);
    await expect(engine.getImage(Id).inspect()).rejects.toMatchObject({ statusCode: 404 });
    const byDigest = await create(later, { name: String(digest) });
    expect(byDigest.outputs).toMatchObject({ imageId: Id, repoDigest: digest });
    await (await share.provider('remoteImage')).delete(byDigest.id, byDigest.outputs);
  });

  it('that does not let one in is named, with what to do', async () => {
    const name = `${registry.host}/${share.id}/closed:v1`;
    await expect(create(remoteImages, { name })).rejects.toMatchObject({
      details: expect.stringContaining(`Log in (docker login ${registry.host}) and set docker:registryAuth`),
    });
    await expect(create(images, { imageName: name, ...(await tiny('closed')) })).rejects.toMatchObject({
      details: expect.stringContaining(`set docker:registryAuth for ${registry.host}`),
    });
  });

  it('that does not know the image is named, with what to check', async () => {
    const provider = await share.provider('remoteImage', config());
    await expect(create(provider, { name: `${registry.host}/no/such:v1` })).rejects.toMatchObject({
      details: expect.stringMatching(/manifest unknown.*Check the name and the tag/),
    });
  });
});

describe('an image', () => {
  const wanted = (changes: Properties = {}): Properties => ({
    imageName: `${share.name('image')}:one`,
    skipPush: true,
    build: { context: relative('.', context), args: { WHO: 'me' } },
    ...changes,
  });

  it('is built, known by its id, and built anew only when its context changes', async () => {
    await write({
      Dockerfile: `FROM ${baseImage()}\n${labelled}\nARG WHO\nRUN echo $WHO >/who\nCOPY data /data\n`,
      data: '1',
    });
    const made = await create(images, wanted());
    const { Id } = await engine.getImage(`${share.name('image')}:one`).inspect();
    expect(made).toMatchObject({
      id: `${share.name('image')}:one`,
      outputs: {
        imageName: `${share.name('image')}:one`,
        baseImageName: `${share.name('image')}:one`,
        dockerfile: 'Dockerfile',
        registryServer: '',
        repoDigest: Id,
      },
      inputs: { buildOnPreview: false, build: { contextDigest: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    });
    expect((await driftOf(images, made, wanted())).paths).toEqual([]);
    await write({ data: '2' });
    expect(await driftOf(images, made, wanted())).toMatchObject({ paths: ['build.contextDigest'], replaces: [] });
  });

  it('does not build at preview unless asked to', async () => {
    await write({ Dockerfile: `FROM ${baseImage()}\n${labelled}\n` });
    const imageName = `${share.name('preview')}:one`;
    const { inputs } = await images.check(wanted({ imageName }));
    expect((await images.create(inputs, { preview: true })).outputs).toEqual({ imageName });
    await expect(engine.getImage(imageName).inspect()).rejects.toMatchObject({ statusCode: 404 });
    const eager = await images.create({ ...inputs, buildOnPreview: true }, { preview: true });
    expect(eager.outputs.repoDigest).toBe((await engine.getImage(imageName).inspect()).Id);
  });

  it('must name its registry to be pushed, and be there to be built', async () => {
    await write({ 'app/Dockerfile': 'FROM scratch\n' });
    const unpushable = await images.check(wanted({ skipPush: false, build: { context: join(context, 'app') } }));
    expect(Object.keys(unpushable.failures)).toEqual(['imageName']);
    const misplaced = await images.check(
      wanted({ build: { context: join(context, 'app'), dockerfile: 'Dockerfile' } }),
    );
    expect(misplaced.failures['build.dockerfile']).toContain(`did you mean ${join(context, 'app', 'Dockerfile')}?`);
    const modern = await images.check(
      wanted({ build: { context: join(context, 'app'), builderVersion: 'BuilderBuildKit' } }),
    );
    expect(Object.keys(modern.failures)).toEqual(['build.builderVersion']);
  });
});

describe('the digest of a context', () => {
  const digest = () => contextDigest(context, join(context, 'Dockerfile'));

  it('does not depend on where the context lies, nor on time', async () => {
    await write({ Dockerfile: 'FROM scratch', 'a/b': '1' });
    const before = await digest();
    const elsewhere = await mkdtemp(join(tmpdir(), 'elsewhere-'));
    const first = context;
    context = elsewhere;
    await write({ 'a/b': '1', Dockerfile: 'FROM scratch' });
    expect(await digest()).toBe(before);
    await rm(first, { recursive: true });
  });

  it('changes with content, names, modes and links, not with what is ignored', async () => {
    await write({ Dockerfile: 'FROM scratch', a: '1', '.dockerignore': 'ignored' });
    const seen = [await digest()];
    const changes = async () => {
      const now = await digest();
      expect(seen).not.toContain(now);
      seen.push(now);
    };
    await write({ a: '2' });
    await changes();
    await chmod(join(context, 'a'), 0o755);
    await changes();
    await symlink('a', join(context, 'link'));
    await changes();
    await write({ 'renamed/a': '2' });
    await changes();
    await write({ Dockerfile: 'FROM base' });
    await changes();
    await write({ ignored: 'x' });
    expect(await digest()).toBe(seen.at(-1));
  });
});

it('reports progress while it builds', async () => {
  await write({ Dockerfile: `FROM ${baseImage()}\n${labelled}\n` });
  await create(remoteImages, { name: `${share.name('progress')}:one`, build: { context } });
  await vi.waitFor(() =>
    expect(remoteImages.said).toContainEqual(
      expect.objectContaining({ ephemeral: true, message: expect.stringContaining(': Step 2/2 : LABEL') }),
    ),
  );
});
