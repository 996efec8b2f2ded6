import { setTimeout as delay } from 'node:timers/promises';
import provider from '@pulumi/pulumi/proto/provider_pb.js';
import empties from 'google-protobuf/google/protobuf/empty_pb.js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { InitializationError, type ResourceDefinition } from '../../../infra/providers/plugin/resource.ts';
import { onWire, startEngine, storedDespite, type TestEngine } from './engine.ts';

const shelfInputs = z.strictObject({
  name: z.string(),
  width: z.number().int('must be a whole number').default(80),
  password: z.string().optional(),
  books: z.array(z.strictObject({ title: z.string(), pages: z.number().default(100) })).optional(),
  tags: z.record(z.string(), z.string()).optional(),
});
type ShelfInputs = z.infer<typeof shelfInputs>;
type ShelfOutputs = ShelfInputs & { room?: string; token?: string };

const config = z.strictObject({ url: z.string().optional(), rooms: z.array(z.string()).default(['hall']) });
type Config = z.infer<typeof config>;

const shelf: ResourceDefinition<ShelfInputs, ShelfOutputs, Config> = {
  token: 'house:index:Shelf',
  inputs: shelfInputs,
  replaceOnChanges: ['name'],
  deleteBeforeReplace: true,
  secretOutputs: ['token'],
  stableOutputs: ['room'],
  check: async ({ name }) => (name === 'taken' ? [{ property: 'name', reason: 'is taken: choose another' }] : []),
  create: async (inputs, { config }) => ({
    id: inputs.name,
    outputs: { ...inputs, room: config.rooms[0] ?? '', token: 't' },
  }),
  read: async (id, { inputs }) =>
    id === 'gone' ? undefined : { id, inputs: inputs ?? { name: id, width: 80 }, outputs: { name: id, width: 81 } },
  update: async (_id, _old, news) => ({ ...news, room: 'hall' }),
  delete: async () => undefined,
};

let engine: TestEngine | undefined;
afterEach(async () => {
  await engine?.close();
  engine = undefined;
});

async function serving(
  changes: Partial<ResourceDefinition<ShelfInputs, ShelfOutputs, Config>> = {},
): Promise<TestEngine> {
  engine = await startEngine({ name: 'house', version: '1.2.3', config, resources: [{ ...shelf, ...changes }] });
  await engine.configure();
  return engine;
}

describe('check', () => {
  it('fills in defaults, in elements too', async () => {
    const { inputs, failures } = await (await serving()).check({ name: 'a', books: [{ title: 'Emma' }] });
    expect(failures).toEqual({});
    expect(inputs).toEqual({ name: 'a', width: 80, books: [{ title: 'Emma', pages: 100 }] });
  });

  it('names every wrong property at once, by its path', async () => {
    const { failures } = await (await serving()).check({
      width: 1.5,
      books: [{ title: 'Emma', colour: 'red' }],
      doors: 2,
    });
    expect(Object.keys(failures).sort()).toEqual(['books[0].colour', 'doors', 'name', 'width']);
    expect(failures.width).toBe('must be a whole number');
    expect(failures.doors).toBe('there is no such property');
  });

  it('steps around unknown values and still validates what is known', async () => {
    const engine = await serving();
    const given = {
      name: onWire.unknown,
      width: 'wide',
      books: [{ title: onWire.unknown }, { title: onWire.unknown, pages: 'x' }],
    };
    const { inputs, failures } = await engine.check(given);
    expect(Object.keys(failures).sort()).toEqual(['books[1].pages', 'width']);
    expect(inputs).toMatchObject({ name: onWire.unknown, books: [{ title: onWire.unknown, pages: 100 }, {}] });
  });

  it('keeps secrets secret and gives plain values to the definition', async () => {
    const check = vi.fn(async () => []);
    const { inputs } = await (await serving({ check })).check({
      name: 'a',
      password: onWire.secret('p'),
      tags: { x: onWire.secret('y') },
    });
    expect(inputs).toEqual({ name: 'a', width: 80, password: onWire.secret('p'), tags: { x: onWire.secret('y') } });
    expect(check).toHaveBeenCalledWith(
      expect.objectContaining({ password: 'p', tags: { x: 'y' } }),
      expect.anything(),
      undefined, // nothing is stored yet
    );
  });

  it('runs the checks beyond shape only on inputs that are known and well shaped', async () => {
    const engine = await serving();
    expect((await engine.check({ name: 'taken' })).failures).toEqual({ name: 'is taken: choose another' });
    const check = vi.fn(async () => []);
    await engine.close();
    const other = await serving({ check });
    await other.check({ name: 'taken', width: onWire.unknown });
    await other.check({ name: 'taken', width: 'wide' });
    expect(check).not.toHaveBeenCalled();
  });

  it('ignores what other providers noted in the stored inputs', async () => {
    const engine = await serving();
    const noted = { name: 'a', width: 80, books: [{ title: 'E', pages: 1, __defaults: [] }], __defaults: ['width'] };
    expect(
      await engine.diff({ inputs: noted }, { name: 'a', width: 80, books: [{ title: 'E', pages: 1 }] }),
    ).toMatchObject({
      changes: provider.DiffResponse.DiffChanges.DIFF_NONE,
    });
  });
});

describe('diff', () => {
  const inputs = { name: 'a', width: 80, books: [{ title: 'Emma', pages: 100 }] };
  const { Kind } = provider.PropertyDiff;

  it('finds nothing where nothing changed, secret or not', async () => {
    const found = await (await serving()).diff(
      { inputs: { ...inputs, password: 'p' } },
      { ...inputs, password: onWire.secret('p') },
    );
    expect(found).toMatchObject({ changes: 1, diffsList: [], replacesList: [], detaileddiffMap: [] });
  });

  it('names the deepest path of each change', async () => {
    const news = {
      ...inputs,
      books: [
        { title: 'Emma', pages: 99 },
        { title: 'Sanditon', pages: 1 },
      ],
      tags: { 'a.b': 'c' },
    };
    const found = await (await serving()).diff({ inputs: { ...inputs, tags: { 'a.b': 'd', e: 'f' } } }, news);
    expect(Object.fromEntries(found.detaileddiffMap)).toEqual({
      'books[0].pages': { kind: Kind.UPDATE, inputdiff: true },
      'books[1]': { kind: Kind.ADD, inputdiff: true },
      'tags["a.b"]': { kind: Kind.UPDATE, inputdiff: true },
      'tags.e': { kind: Kind.DELETE, inputdiff: true },
    });
    expect(found).toMatchObject({
      changes: 2,
      diffsList: ['books', 'tags'],
      replacesList: [],
      deletebeforereplace: true,
    });
  });

  it('asks for replacement, the old one first, when a listed property changes or may change', async () => {
    const engine = await serving();
    for (const name of ['b', onWire.unknown])
      expect(await engine.diff({ inputs }, { ...inputs, name })).toMatchObject({
        replacesList: ['name'],
        deletebeforereplace: true,
        detaileddiffMap: [['name', { kind: Kind.UPDATE_REPLACE, inputdiff: true }]],
      });
  });
});

describe('create and update', () => {
  it('stores outputs with the secrets of the inputs and those of the definition', async () => {
    const { id, outputs } = await (await serving()).create({ name: 'a', width: 80, password: onWire.secret('p') });
    expect(id).toBe('a');
    expect(outputs).toEqual({
      name: 'a',
      width: 80,
      password: onWire.secret('p'),
      room: 'hall',
      token: onWire.secret('t'),
    });
  });

  it('answers previews without the definition, leaving out what is not known', async () => {
    const [create, update] = [vi.fn(shelf.create), vi.fn()];
    const engine = await serving({ create, update });
    const news = { name: 'a', width: onWire.unknown, password: onWire.secret('p') };
    expect(await engine.create(news, { preview: true })).toEqual({ id: '', outputs: news });
    const old = { inputs: { name: 'a', width: 1 }, outputs: { name: 'a', width: 1, room: 'hall', token: 't' } };
    expect(await engine.update('a', old, news, { preview: true })).toEqual({ ...news, room: 'hall' });
    expect(create).not.toHaveBeenCalled();
    expect(update).not.toHaveBeenCalled();
  });

  it('asks a definition that runs at preview, once all inputs are known', async () => {
    const create = vi.fn(shelf.create);
    const engine = await serving({ create, runsAtPreview: true });
    await engine.create({ name: onWire.unknown, width: 1 }, { preview: true });
    expect(create).not.toHaveBeenCalled();
    const { id, outputs } = await engine.create({ name: 'a', width: 1 }, { preview: true });
    expect(id).toBe('');
    expect(outputs.room).toBe('hall');
    expect(create).toHaveBeenCalledWith({ name: 'a', width: 1 }, expect.objectContaining({ preview: true }));
  });

  it('keeps in the state what was made before it failed', async () => {
    const engine = await serving({
      create: async (inputs) => {
        throw new InitializationError({ id: 'half', outputs: inputs, reasons: ['the shelf fell down'] });
      },
    });
    const error = await engine
      .create({ name: 'a', width: 1, password: onWire.secret('p') })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ details: 'the shelf fell down' });
    expect(storedDespite(error)).toEqual({
      id: 'half',
      reasons: ['the shelf fell down'],
      outputs: { name: 'a', width: 1, password: onWire.secret('p') },
    });
  });

  it('says what went wrong in one message with its causes and without a stack', async () => {
    const engine = await serving({
      create: async () => {
        throw new Error('no shelf', { cause: new Error('no wood') });
      },
    });
    await expect(engine.create({ name: 'a', width: 1 })).rejects.toMatchObject({ details: 'no shelf: no wood' });
  });

  it('reports progress to be shown and warnings to be kept', async () => {
    const engine = await serving({
      create: async (inputs, context) => {
        context.progress('sawing');
        context.warn('blunt saw');
        return shelf.create(inputs, context);
      },
    });
    await engine.create({ name: 'a', width: 1 });
    await vi.waitFor(() => expect(engine.said).toHaveLength(2));
    const urn = 'urn:pulumi:test::project::house:index:Shelf::thing';
    expect(engine.said).toContainEqual({ message: 'sawing', urn, severity: 1, ephemeral: true });
    expect(engine.said).toContainEqual({ message: 'blunt saw', urn, severity: 2, ephemeral: false });
  });
});

describe('ending work early', () => {
  const untilAborted: typeof shelf.create = async (_inputs, { signal }) => {
    await delay(60_000, undefined, { signal }); // throws an AbortError that does not say why
    throw new Error('was not aborted');
  };

  it('aborts on Cancel', async () => {
    const started = Promise.withResolvers<void>();
    const engine = await serving({
      create: (inputs, context) => {
        started.resolve();
        return untilAborted(inputs, context);
      },
    });
    const creation = expect(engine.create({ name: 'a', width: 1 })).rejects.toMatchObject({ details: 'cancelled' });
    await started.promise;
    await engine.cancel();
    await creation;
  });

  it("aborts when the resource's time is up, and says how long that was", async () => {
    const engine = await serving({ create: untilAborted });
    await expect(engine.create({ name: 'a', width: 1 }, { timeout: 0.05 })).rejects.toMatchObject({
      details: expect.stringContaining('timed out after 0.05 s'),
    });
  });
});

describe('read', () => {
  it('answers without an id when the resource is gone', async () => {
    expect(await (await serving()).read('gone', { inputs: {}, outputs: { name: 'gone' } })).toMatchObject({ id: '' });
  });

  it('returns inputs and outputs as they are now, secrets as they were', async () => {
    const inputs = { name: 'a', width: 80, password: onWire.secret('p') };
    const found = await (await serving()).read('a', { inputs, outputs: { name: onWire.secret('a'), width: 80 } });
    expect(found).toEqual({ id: 'a', inputs, outputs: { name: onWire.secret('a'), width: 81 } });
  });

  it('has no stored state on import', async () => {
    const read = vi.fn(shelf.read);
    await (await serving({ read })).read('b');
    expect(read).toHaveBeenCalledWith('b', { inputs: undefined, outputs: undefined }, expect.anything());
  });
});

describe('the provider itself', () => {
  it('takes JSON in strings for configuration that is not a string', async () => {
    const engine = await serving();
    await engine.configure({ rooms: '["attic"]', version: '1.2.3' });
    expect((await engine.create({ name: 'a', width: 1 })).outputs.room).toBe('attic');
  });

  it('refuses wrong configuration with the property and the reason', async () => {
    const engine = await serving();
    await expect(engine.configure({ rooms: '5', roof: 'x' })).rejects.toMatchObject({
      details: expect.stringMatching(/house:rooms: .*house:roof: there is no such property/),
    });
  });

  it('tells its version and its schema', async () => {
    const { client } = await serving();
    const info = await new Promise((resolve, reject) =>
      client.getPluginInfo(new empties.Empty(), (error, response) =>
        error ? reject(error) : resolve(response.getVersion()),
      ),
    );
    expect(info).toBe('1.2.3');
    const schema = await new Promise<string>((resolve, reject) =>
      client.getSchema(new provider.GetSchemaRequest(), (error, response) =>
        error ? reject(error) : resolve(response.getSchema()),
      ),
    );
    expect(JSON.parse(schema)).toMatchObject({ name: 'house', resources: { 'house:index:Shelf': {} } });
  });

  it('says which resources it has when asked for another', async () => {
    engine = await startEngine({ name: 'house', version: '1.2.3', config, resources: [shelf] }, 'house:index:Table');
    await engine.configure();
    await expect(engine.create({})).rejects.toMatchObject({
      details: 'this house provider has no resource house:index:Table; it has house:index:Shelf',
    });
  });
});
