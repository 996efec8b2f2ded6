import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataOf, type Fixture, startFixture } from '../embedded-supabase/support.ts';
import { type BucketInputs, contextFor, definition, inputs } from './bucket-fixtures.ts';

/** The resource's operations against the embedded Supabase. */
let supabase: Fixture;
let count = 0;

beforeAll(async () => {
  supabase = await startFixture({ maxFileSize: 100_000_000 });
});
afterAll(() => supabase.close());

const context = () => contextFor(supabase.url, supabase.settings.secretKey);
const freshName = () => `bucket-${++count}`;
const make = async (given: Partial<BucketInputs> = {}) => {
  const wanted = inputs({ name: freshName(), ...given });
  await definition.create(wanted, context());
  return wanted;
};
const settings = async (name: string) => {
  const {
    public: isPublic,
    file_size_limit,
    allowed_mime_types,
  } = dataOf(await supabase.server.storage.getBucket(name));
  return { public: isPublic, file_size_limit, allowed_mime_types };
};
const upload = async (name: string, path: string) =>
  dataOf(await supabase.server.storage.from(name).upload(path, 'content', { contentType: 'text/plain' }));
const update = (old: BucketInputs, news: BucketInputs) =>
  definition.update?.(old.name, { inputs: old, outputs: old }, news, context());
const read = (stored: BucketInputs) => definition.read(stored.name, { inputs: stored, outputs: stored }, context());
const differences = async (old: BucketInputs, news: BucketInputs) =>
  definition.diff?.({ inputs: old, outputs: old }, news, context());

test('a bucket is made as asked for, private unless told', async () => {
  const wanted = inputs({ name: freshName(), fileSizeLimit: '50MB', allowedMimeTypes: ['text/*', 'application/pdf'] });
  expect(await definition.create(wanted, context())).toEqual({ id: wanted.name, outputs: wanted });
  expect(await settings(wanted.name)).toEqual({
    public: false,
    file_size_limit: 50_000_000,
    allowed_mime_types: ['text/*', 'application/pdf'],
  });
});

test('it is changed in place, and what is left out is lifted', async () => {
  const old = await make({ fileSizeLimit: '1MB', allowedMimeTypes: ['text/*'] });
  const news = inputs({ name: old.name, public: true, fileSizeLimit: '2MiB' });
  expect(await update(old, news)).toEqual(news);
  expect(await settings(old.name)).toEqual({ public: true, file_size_limit: 2_097_152, allowed_mime_types: null });
  await update(news, inputs({ name: old.name }));
  expect(await settings(old.name)).toEqual({ public: false, file_size_limit: null, allowed_mime_types: null });
});

test('another notation of the same is no difference; another name is another bucket', async () => {
  const old = inputs({ name: 'a', fileSizeLimit: '1MB', allowedMimeTypes: ['text/*', 'image/*'] });
  expect(await differences(old, { ...old, fileSizeLimit: 1_000_000, allowedMimeTypes: ['image/*', 'text/*'] })).toEqual(
    [],
  );
  expect(await differences(old, { ...old, fileSizeLimit: '2MB' })).toEqual([{ path: 'fileSizeLimit', kind: 'update' }]);
  expect(await differences(old, { ...old, name: 'b' })).toEqual([{ path: 'name', kind: 'update', replace: true }]);
  expect(await differences(old, { ...old, forceDestroy: true })).toEqual([{ path: 'forceDestroy', kind: 'update' }]);
});

test('reading finds nothing new in what was just made, whatever its notation', async () => {
  for (const given of [
    {},
    { fileSizeLimit: '1.5MB' },
    { fileSizeLimit: 77, allowedMimeTypes: ['text/*', 'image/png'] },
  ]) {
    const made = await make(given);
    expect(await read(made)).toEqual({ id: made.name, inputs: made, outputs: made });
  }
});

test('what was changed by hand shows in the inputs', async () => {
  const made = await make({ fileSizeLimit: '1MB', allowedMimeTypes: ['text/*'] });
  dataOf(
    await supabase.server.storage.updateBucket(made.name, { public: true, fileSizeLimit: 5, allowedMimeTypes: null }),
  );
  expect((await read(made))?.inputs).toEqual({ name: made.name, public: true, forceDestroy: false, fileSizeLimit: 5 });
});

test('a bucket that is gone reads as gone, is deleted without complaint, and a change says what to do', async () => {
  const made = await make();
  dataOf(await supabase.server.storage.deleteBucket(made.name));
  expect(await read(made)).toBeUndefined();
  await definition.delete(made.name, made, context());
  await expect(update(made, { ...made, public: true })).rejects.toThrow(
    `bucket ${made.name} is gone: "pulumi refresh"`,
  );
});

test('an import reads everything from the API', async () => {
  const made = await make({ fileSizeLimit: '1MB', allowedMimeTypes: ['text/*'], public: true });
  const imported = await definition.read(made.name, { inputs: undefined, outputs: undefined }, context());
  expect(imported?.inputs).toEqual({ ...made, fileSizeLimit: 1_000_000 });
});

test('one that is there already is taken over when it is as asked for, even with objects', async () => {
  const made = await make({ fileSizeLimit: '1MB' });
  await upload(made.name, 'note.txt');
  const again = context();
  await definition.create({ ...made, fileSizeLimit: 1_000_000 }, again);
  expect(again.said.progress).toEqual([`bucket ${made.name} is there already, with these settings: taken over`]);
  expect((await supabase.server.storage.from(made.name).list()).data).toHaveLength(1);
});

test('one that is there with other settings, or with objects that would be deleted, is an error with the import', async () => {
  const made = await make({ fileSizeLimit: '1MB' });
  await expect(definition.create({ ...made, public: true }, context())).rejects.toThrow(
    `bucket ${made.name} is there already, with other settings. To manage it from here: pulumi import supabase:index:Bucket files ${made.name}`,
  );
  await definition.create({ ...made, forceDestroy: true }, context()); // empty: an interrupted update, run again
  await upload(made.name, 'note.txt');
  await expect(definition.create({ ...made, forceDestroy: true }, context())).rejects.toThrow(
    `bucket ${made.name} is there already, with objects that forceDestroy would delete.`,
  );
  expect(await settings(made.name)).toMatchObject({ public: false });
});

test('a bucket with objects is not deleted; what to do is said', async () => {
  const made = await make();
  await upload(made.name, 'folder/note.txt');
  await expect(definition.delete(made.name, made, context())).rejects.toThrow(
    /holds objects and is not deleted\. To delete them with it: set forceDestroy: true.*pulumi state delete 'urn:pulumi:test::project/s,
  );
  expect(await supabase.server.storage.from(made.name).exists('folder/note.txt')).toMatchObject({ data: true });
});

test('with forceDestroy it goes with its objects, folders and all', async () => {
  const made = await make({ forceDestroy: true });
  const paths = Array.from({ length: 30 }, (_, n) => `${'folder/'.repeat(n % 4)}note-${n}.txt`);
  await Promise.all(paths.map((path) => upload(made.name, path)));
  await definition.delete(made.name, made, context());
  expect(await read(made)).toBeUndefined();
});

test('a limit above that of the project is told as such', async () => {
  await expect(definition.create(inputs({ name: freshName(), fileSizeLimit: '1GB' }), context())).rejects.toThrow(
    "fileSizeLimit is above the project's own limit",
  );
});

test('a wrong key is told as such, without showing it', async () => {
  const key = 'sb_secret_not_the_right_one_at_all';
  await expect(definition.create(inputs({ name: freshName() }), contextFor(supabase.url, key))).rejects.toThrow(
    /^reading bucket bucket-\d+ at http:\/\/127\.0\.0\.1:\d+ failed: .*is the secret key the one of this project\?$/,
  );
  await expect(definition.create(inputs({ name: freshName() }), contextFor(supabase.url, key))).rejects.not.toThrow(
    key,
  );
});

test.each([
  [{ name: 'with space' }, 'name'],
  [{ name: 'a/b' }, 'name'],
  [{ name: 'a', fileSizeLimit: 'plenty' }, 'fileSizeLimit'],
  [{ name: 'a', allowedMimeTypes: ['text'] }, 'allowedMimeTypes'],
  [{ name: 'a', allowedMimeTypes: [] }, 'allowedMimeTypes'],
  [{ name: 'a', colour: 'red' }, undefined],
])('%j is refused', (given, property) => {
  expect(definition.inputs.safeParse(given).error?.issues[0]?.path[0]).toBe(property);
  expect(definition.inputs.safeParse(given).success).toBe(false);
});
