import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { dataOf, eventually, type Fixture, startFixture } from './support.ts';

let kit: Fixture;
let bucket: string;

beforeAll(async () => {
  kit = await startFixture();
  await kit.migrate(`
    create policy own_files on storage.objects to authenticated
      using (bucket_id like 'own-%' and (storage.foldername(name))[1] = auth.uid()::text)
      with check (bucket_id like 'own-%' and (storage.foldername(name))[1] = auth.uid()::text);
    create policy see_buckets on storage.buckets for select to authenticated using (id like 'own-%');
  `);
});

afterAll(() => kit?.close());

beforeEach(async () => {
  bucket = `own-${randomBytes(4).toString('hex')}`;
  dataOf(await kit.server.storage.createBucket(bucket));
});

const files = () => kit.server.storage.from(bucket);
const textOf = async (blob: Blob) => blob.text();

describe('a bucket', () => {
  test('takes its limit as a size, and lets it be lifted again', async () => {
    expect(
      (
        await kit.server.storage.updateBucket(bucket, {
          public: false,
          fileSizeLimit: '500KB',
          allowedMimeTypes: ['image/*'],
        })
      ).error,
    ).toBeNull();
    expect(dataOf(await kit.server.storage.getBucket(bucket))).toMatchObject({
      file_size_limit: 500_000,
      allowed_mime_types: ['image/*'],
    });
    expect(
      (await kit.server.storage.updateBucket(bucket, { public: true, fileSizeLimit: null, allowedMimeTypes: null }))
        .error,
    ).toBeNull();
    expect(dataOf(await kit.server.storage.getBucket(bucket))).toMatchObject({
      public: true,
      file_size_limit: null,
      allowed_mime_types: null,
    });
  });

  test('is refused a limit above that of the server, a wrong size and a wrong type', async () => {
    const { storage } = kit.server;
    expect((await storage.createBucket('a', { public: false, fileSizeLimit: '50MB' })).error).toMatchObject({
      statusCode: '413',
    });
    expect((await storage.createBucket('a', { public: false, fileSizeLimit: 'much' })).error).toMatchObject({
      statusCode: '400',
    });
    expect((await storage.createBucket('a', { public: false, allowedMimeTypes: ['pictures'] })).error).toMatchObject({
      statusCode: '415',
    });
    expect((await storage.createBucket(bucket)).error).toMatchObject({ statusCode: '409' });
  });

  test('with objects is not deleted, emptied it is', async () => {
    dataOf(await files().upload('a.txt', 'a'));
    expect((await kit.server.storage.deleteBucket(bucket)).error).toMatchObject({ statusCode: '409' });
    expect((await kit.server.storage.emptyBucket(bucket)).error).toBeNull();
    expect(dataOf(await files().list())).toEqual([]);
    expect((await kit.server.storage.deleteBucket(bucket)).error).toBeNull();
  });

  test('is emptied only of what the one who asks may delete', async () => {
    const { client, id } = await kit.signedUp();
    dataOf(await client.storage.from(bucket).upload(`${id}/mine.txt`, 'mine'));
    dataOf(await files().upload('somebody/else.txt', 'else'));
    await client.storage.emptyBucket(bucket);
    expect(dataOf(await files().list()).map(({ name }) => name)).toEqual(['somebody']);
  });
});

describe('an object', () => {
  test('is read as it was written, from a buffer, a text, a blob or a stream', async () => {
    const bytes = randomBytes(200_000);
    dataOf(await files().upload('a/buffer', bytes, { contentType: 'application/pdf', cacheControl: '60' }));
    expect(Buffer.from(await dataOf(await files().download('a/buffer')).arrayBuffer()).equals(bytes)).toBe(true);
    dataOf(await files().upload('a/text', 'text'));
    expect(await textOf(dataOf(await files().download('a/text')))).toBe('text');
    dataOf(await files().upload('a/blob', new Blob(['blob'], { type: 'text/markdown' })));
    const blob = dataOf(await files().download('a/blob'));
    expect([await textOf(blob), blob.type]).toEqual(['blob', 'text/markdown']);
    dataOf(
      await files().upload('a/stream', Readable.toWeb(Readable.from([Buffer.from('str'), Buffer.from('eam')])), {
        duplex: 'half',
      }),
    );
    expect(await textOf(dataOf(await files().download('a/stream')))).toBe('stream');
  });

  test('keeps type, size, cache control and the user’s metadata', async () => {
    dataOf(
      await files().upload('doc.pdf', Buffer.from('12345'), {
        contentType: 'application/pdf',
        cacheControl: '60',
        metadata: { page: 1, big: 1.5 },
      }),
    );
    expect(dataOf(await files().info('doc.pdf'))).toMatchObject({
      name: 'doc.pdf',
      size: 5,
      contentType: 'application/pdf',
      cacheControl: 'max-age=60',
      metadata: { page: 1, big: 1.5 },
    });
    dataOf(
      await files().upload('blob.pdf', new Blob(['12'], { type: 'application/pdf' }), {
        cacheControl: '61',
        metadata: { from: 'blob' },
      }),
    );
    expect(dataOf(await files().info('blob.pdf'))).toMatchObject({
      size: 2,
      cacheControl: 'max-age=61',
      metadata: { from: 'blob' },
    });
  });

  test('is not overwritten unless told', async () => {
    dataOf(await files().upload('a.txt', 'one'));
    expect((await files().upload('a.txt', 'two')).error).toMatchObject({ statusCode: '409' });
    dataOf(await files().upload('a.txt', 'three', { upsert: true }));
    expect(await textOf(dataOf(await files().download('a.txt')))).toBe('three');
  });

  test('written by many at once is one of them, whole', async () => {
    const bodies = Array.from({ length: 8 }, (_, index) => Buffer.alloc(50_000, String(index)));
    const answers = await Promise.all(bodies.map((body) => files().upload('race', body)));
    expect(answers.filter(({ error }) => error === null)).toHaveLength(1);
    expect(
      answers
        .filter(({ error }) => error !== null)
        .every(({ error }) => Reflect.get(error ?? {}, 'statusCode') === '409'),
    ).toBe(true);
    const winner = bodies[answers.findIndex(({ error }) => error === null)];
    expect(Buffer.from(await dataOf(await files().download('race')).arrayBuffer())).toEqual(winner);
  });

  test('is moved, copied and removed', async () => {
    dataOf(await files().upload('a.txt', 'a', { contentType: 'text/plain' }));
    expect(dataOf(await files().copy('a.txt', 'copies/b.txt')).path).toBe(`${bucket}/copies/b.txt`);
    expect((await files().move('a.txt', 'c.txt')).error).toBeNull();
    expect((await files().download('a.txt')).error).not.toBeNull();
    expect(await textOf(dataOf(await files().download('c.txt')))).toBe('a');
    expect(dataOf(await files().exists('copies/b.txt'))).toBe(true);
    expect(dataOf(await files().remove(['c.txt', 'copies/b.txt', 'nothing']))).toHaveLength(2);
    expect((await files().exists('c.txt')).data).toBe(false);
  });

  test.each(['a b/ü.txt', 'plus+sign.txt', '100%.txt', 'quote".txt'])('may be called %s', async (name) => {
    dataOf(await files().upload(name, 'x'));
    expect(await textOf(dataOf(await files().download(name)))).toBe('x');
    expect(dataOf(await files().remove([name]))).toHaveLength(1);
  });

  test.each(['../../etc/passwd', '/etc/passwd', 'a/../../b'])(
    'can’t be written outside the store as %s',
    async (name) => {
      await fetch(`${kit.url}/storage/v1/object/${bucket}/${encodeURIComponent(name)}`, {
        method: 'POST',
        headers: { apikey: kit.settings.secretKey },
        body: 'x',
      });
      const names = await readdir(kit.settings.storageDirectory);
      expect(names.sort()).toEqual(['incoming', 'objects']);
      for (const folder of await readdir(join(kit.settings.storageDirectory, 'objects')))
        expect(folder).toMatch(/^[0-9a-f]{2}$/);
    },
  );

  test('leaves nothing behind when its upload breaks off', async () => {
    const upload = httpRequest(`${kit.url}/storage/v1/object/${bucket}/broken`, {
      method: 'POST',
      headers: { apikey: kit.settings.secretKey, 'content-length': '100000', 'content-type': 'text/plain' },
    });
    upload.on('error', () => undefined); // the abort below
    upload.write('only the beginning');
    await eventually(() => readdir(join(kit.settings.storageDirectory, 'incoming'))).toHaveLength(1);
    upload.destroy();
    await eventually(() => readdir(join(kit.settings.storageDirectory, 'incoming'))).toHaveLength(0);
    expect((await files().exists('broken')).data).toBe(false);
  });
});

describe('a listing', () => {
  beforeEach(async () => {
    for (const name of ['b.txt', 'a.txt', 'folder/one.txt', 'folder/deep/two.txt', 'other/x.txt', 'folder_2/y.txt']) {
      dataOf(await files().upload(name, name));
    }
  });

  test('shows one level: folders first, then files', async () => {
    const top = dataOf(await files().list());
    expect(top.map(({ name, id }) => [name, id === null])).toEqual([
      ['folder', true],
      ['folder_2', true],
      ['other', true],
      ['a.txt', false],
      ['b.txt', false],
    ]);
    expect(dataOf(await files().list('folder')).map(({ name }) => name)).toEqual(['deep', 'one.txt']);
    expect(dataOf(await files().list('folder/')).map(({ name }) => name)).toEqual(['deep', 'one.txt']);
    expect(dataOf(await files().list('folder/deep'))[0]).toMatchObject({ name: 'two.txt', metadata: { size: 19 } });
    expect(dataOf(await files().list('nowhere'))).toEqual([]);
  });

  test('is searched, sorted and paged', async () => {
    const names = async (options: Parameters<ReturnType<typeof files>['list']>[1]) =>
      dataOf(await files().list('', options)).map(({ name }) => name);
    expect(await names({ search: 'FOL' })).toEqual(['folder', 'folder_2']);
    expect(await names({ sortBy: { column: 'name', order: 'desc' } })).toEqual([
      'other',
      'folder_2',
      'folder',
      'b.txt',
      'a.txt',
    ]);
    expect(await names({ limit: 2, offset: 2 })).toEqual(['other', 'a.txt']);
    expect(await names({ sortBy: { column: 'created_at', order: 'asc' }, offset: 3 })).toEqual(['b.txt', 'a.txt']);
  });

  test('shows a user what the user may see', async () => {
    const { client, id } = await kit.signedUp();
    dataOf(await client.storage.from(bucket).upload(`${id}/mine.txt`, 'mine'));
    expect(dataOf(await client.storage.from(bucket).list()).map(({ name }) => name)).toEqual([id]);
  });

  test('refuses to be sorted by anything else', async () => {
    const { error } = await files().list('', { sortBy: { column: 'name; drop table storage.objects', order: 'asc' } });
    expect(error).toMatchObject({ statusCode: '400' });
  });
});

describe('row-level security', () => {
  test('keeps users out of each other’s files', async () => {
    const ada = await kit.signedUp();
    const bob = await kit.signedUp();
    dataOf(await ada.client.storage.from(bucket).upload(`${ada.id}/a.txt`, 'a'));
    expect((await bob.client.storage.from(bucket).download(`${ada.id}/a.txt`)).error).not.toBeNull();
    expect((await bob.client.storage.from(bucket).upload(`${ada.id}/b.txt`, 'b')).error).toMatchObject({
      statusCode: '403',
    });
    expect((await bob.client.storage.from(bucket).createSignedUrl(`${ada.id}/a.txt`, 60)).error).not.toBeNull();
    expect(dataOf(await bob.client.storage.from(bucket).remove([`${ada.id}/a.txt`]))).toEqual([]);
    expect((await kit.client().storage.from(bucket).download(`${ada.id}/a.txt`)).error).not.toBeNull();
    expect(await textOf(dataOf(await ada.client.storage.from(bucket).download(`${ada.id}/a.txt`)))).toBe('a');
  });
});

describe('signed addresses', () => {
  test('let anybody read for a while', async () => {
    dataOf(await files().upload('a b.txt', 'signed'));
    const { signedUrl } = dataOf(await files().createSignedUrl('a b.txt', 60));
    expect(await (await fetch(signedUrl)).text()).toBe('signed');
    const named = dataOf(await files().createSignedUrl('a b.txt', 60, { download: 'other.txt' })).signedUrl;
    expect((await fetch(named)).headers.get('content-disposition')).toBe(`attachment; filename*=UTF-8''other.txt`);
    const many = dataOf(await files().createSignedUrls(['a b.txt', 'nothing'], 60));
    expect(many[1]).toMatchObject({ path: 'nothing', signedUrl: null });
    expect(await (await fetch(many[0]?.signedUrl ?? '')).text()).toBe('signed');
  });

  test('are refused when they are forged, expired or for another object', async () => {
    dataOf(await files().upload('a.txt', 'a'));
    dataOf(await files().upload('b.txt', 'b'));
    const { signedUrl } = dataOf(await files().createSignedUrl('a.txt', 60));
    expect((await fetch(signedUrl.replace('a.txt', 'b.txt'))).ok).toBe(false);
    expect((await fetch(`${signedUrl.slice(0, -4)}AAAA`)).status).toBe(400);
    const expired = dataOf(await files().createSignedUrl('a.txt', -1)).signedUrl;
    expect(await (await fetch(expired)).json()).toMatchObject({ error: 'InvalidJWT' });
  });

  test('let anybody write once', async () => {
    const { token, path } = dataOf(await files().createSignedUploadUrl('up.txt'));
    const uploaded = await kit
      .client()
      .storage.from(bucket)
      .uploadToSignedUrl(path, token, new Blob(['uploaded']), { contentType: 'text/plain' });
    expect(dataOf(uploaded).fullPath).toBe(`${bucket}/up.txt`);
    expect(await textOf(dataOf(await files().download('up.txt')))).toBe('uploaded');
    expect((await kit.client().storage.from(bucket).uploadToSignedUrl(path, token, 'again')).error).toMatchObject({
      statusCode: '409',
    });
  });
});

describe('limits', () => {
  beforeEach(async () => {
    await kit.server.storage.updateBucket(bucket, {
      public: false,
      fileSizeLimit: 1000,
      allowedMimeTypes: ['image/*', 'application/pdf', 'text/plain'],
    });
  });

  test('let image/* through and nothing else', async () => {
    expect((await files().upload('a.png', Buffer.from('x'), { contentType: 'image/png' })).error).toBeNull();
    expect((await files().upload('a.svg', new Blob(['x'], { type: 'image/svg+xml' }))).error).toBeNull();
    expect((await files().upload('a.txt', 'x')).error).toBeNull(); // text/plain;charset=UTF-8
    for (const contentType of ['application/json', 'imagery/png', 'text/html', 'application/pdfx']) {
      expect((await files().upload('no', Buffer.from('x'), { contentType })).error, contentType).toMatchObject({
        statusCode: '415',
      });
    }
  });

  test('hold for bodies of announced and of unannounced length', async () => {
    const big = Buffer.alloc(1001);
    expect((await files().upload('a', big, { contentType: 'image/png' })).error).toMatchObject({ statusCode: '413' });
    expect((await files().upload('b', new Blob([big], { type: 'image/png' }))).error).toMatchObject({
      statusCode: '413',
    });
    const stream = Readable.toWeb(Readable.from([big]));
    expect((await files().upload('c', stream, { contentType: 'image/png', duplex: 'half' })).error).toMatchObject({
      statusCode: '413',
    });
    expect((await files().upload('d', Buffer.alloc(1000), { contentType: 'image/png' })).error).toBeNull();
    expect(dataOf(await files().list()).map(({ name }) => name)).toEqual(['d']);
  });

  test.each([
    ['413', Buffer.alloc(900_000), 'image/png'],
    ['415', Buffer.alloc(900_000), 'video/mp4'],
  ])('answer %s without breaking the connection', async (statusCode, body, contentType) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const upload = () =>
      new Promise<{ json: unknown; socket: unknown }>((resolve, reject) => {
        const outgoing = httpRequest(
          `${kit.url}/storage/v1/object/${bucket}/refused`,
          {
            agent,
            method: 'POST',
            headers: { apikey: kit.settings.secretKey, 'content-type': contentType, 'content-length': body.length },
          },
          (response) => {
            const { socket } = response;
            let text = '';
            response.setEncoding('utf8').on('data', (part) => {
              text += part;
            });
            response.on('end', () => resolve({ json: JSON.parse(text), socket }));
          },
        );
        outgoing.on('error', reject);
        outgoing.end(body);
      });
    const first = await upload();
    expect(first.json).toMatchObject({ statusCode });
    expect((await upload()).socket).toBe(first.socket);
    agent.destroy();
  });

  test('of the server hold for buckets without one', async () => {
    await kit.server.storage.updateBucket(bucket, { public: false, fileSizeLimit: null, allowedMimeTypes: null });
    expect((await files().upload('a', Buffer.alloc(kit.settings.maxFileSize + 1))).error).toMatchObject({
      statusCode: '413',
    });
    expect((await files().upload('b', Buffer.alloc(kit.settings.maxFileSize))).error).toBeNull();
  });
});
