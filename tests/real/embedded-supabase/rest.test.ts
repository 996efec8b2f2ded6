import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { dataOf, type Fixture, startFixture } from './support.ts';

let kit: Fixture;

beforeAll(async () => {
  kit = await startFixture();
  await kit.migrate(`
    create type public.mood as enum ('calm', 'stormy');
    create type public.pair as (a int, b text);
    create table public.authors (id bigint generated always as identity primary key, name text not null unique);
    create table public.books (
      id bigint generated always as identity primary key,
      author_id bigint not null references public.authors on delete cascade,
      title text not null check (length(title) > 0),
      price numeric(10, 2),
      tags text[] not null default '{}',
      moods public.mood[] not null default '{}',
      details jsonb not null default '{}',
      published_at timestamptz not null default now()
    );
    create table public.big (id bigint primary key, amount numeric, document jsonb, label text, many bigint[]);
    create table public.kinds (
      id int primary key, bytes bytea, day date, hour time, local timestamp, span interval, ident uuid, float float8,
      flag boolean, range int4range, address inet, pair public.pair, times timestamptz[], amounts numeric[],
      documents jsonb[], flags boolean[], texts text[], grid int[]
    );
    create function public.add(a int, b int) returns int language sql immutable as 'select a + b';
    create function public.describe(p_document jsonb) returns text language sql stable as
      $$ select jsonb_typeof(p_document) || ':' || coalesce(p_document ->> 'name', p_document #>> '{}') $$;
    create function public.books_of(p_author text) returns setof public.books language sql stable as
      $$ select b.* from public.books b join public.authors a on a.id = b.author_id where a.name = p_author $$;
    create function public.echo_big(p_id bigint, p_document jsonb) returns table (id bigint, document jsonb)
      language sql stable as $$ select p_id, p_document $$;
    create function public.fail(p_message text) returns void language plpgsql as
      $$ begin raise exception '%', p_message using hint = 'try something else', detail = 'on purpose'; end $$;
  `);
  const author = dataOf(await kit.server.from('authors').insert({ name: 'Le Guin' }).select('id').single());
  dataOf(
    await kit.server
      .from('books')
      .insert([
        { author_id: author.id, title: 'The Dispossessed', price: 9.5, tags: ['anarchy', 'moon'], moods: ['calm'] },
        { author_id: author.id, title: 'The Lathe of Heaven', price: 7, tags: ['dream'], details: { pages: 184 } },
      ])
      .select(),
  );
});

afterAll(() => kit?.close());

describe('rows', () => {
  test('are filtered, ordered, paged and counted', async () => {
    const { data, count, error } = await kit.server
      .from('books')
      .select('title', { count: 'exact' })
      .ilike('title', 'the%')
      .order('title', { ascending: false })
      .range(0, 0);
    expect(error).toBeNull();
    expect(count).toBe(2);
    expect(data).toEqual([{ title: 'The Lathe of Heaven' }]);
  });

  test('are found by arrays, JSON and null', async () => {
    expect(dataOf(await kit.server.from('books').select('title').contains('tags', ['moon']))).toHaveLength(1);
    expect(dataOf(await kit.server.from('books').select('title').eq('details->>pages', '184'))).toHaveLength(1);
    expect(dataOf(await kit.server.from('books').select('title').not('price', 'is', null))).toHaveLength(2);
    expect(dataOf(await kit.server.from('books').select('title').in('price', [7, 8]))).toHaveLength(1);
  });

  test('embed what they refer to, in both directions', async () => {
    const books = dataOf(await kit.server.from('books').select('title, authors(name)').eq('title', 'The Dispossessed'));
    expect(books).toEqual([{ title: 'The Dispossessed', authors: { name: 'Le Guin' } }]);
    const authors = dataOf(
      await kit.server.from('authors').select('name, books(title)').order('title', { referencedTable: 'books' }),
    );
    expect(authors).toEqual([
      { name: 'Le Guin', books: [{ title: 'The Dispossessed' }, { title: 'The Lathe of Heaven' }] },
    ]);
  });

  test('compare texts as texts, whatever they look like', async () => {
    for (const label of ['true', 'null', '007', '1e5', ' padded ', '{"a":1}']) {
      await kit.sql`truncate big`;
      await kit.server.from('big').insert({ id: 1, label });
      expect(dataOf(await kit.server.from('big').select('label').eq('label', label)), label).toEqual([{ label }]);
    }
    await kit.server.from('big').update({ label: true }).eq('id', 1);
    expect(dataOf(await kit.server.from('big').select('label').single())).toEqual({ label: 'true' });
    await kit.sql`truncate big`;
  });

  test('take a document for a text column as its JSON', async () => {
    await kit.server.from('big').insert({ id: 1, label: { a: [1] } });
    expect(dataOf(await kit.server.from('big').select('label').eq('label', '{"a":[1]}'))).toEqual([
      { label: '{"a":[1]}' },
    ]);
    await kit.sql`truncate big`;
  });

  test('are updated, upserted and deleted', async () => {
    const changed = await kit.server
      .from('authors')
      .upsert({ name: 'Butler' }, { onConflict: 'name' })
      .select()
      .single();
    const id = dataOf(changed).id;
    expect(
      dataOf(await kit.server.from('authors').upsert({ name: 'Butler' }, { onConflict: 'name' }).select().single()).id,
    ).toBe(id);
    expect(dataOf(await kit.server.from('authors').update({ name: 'O. Butler' }).eq('id', id).select())).toEqual([
      { id, name: 'O. Butler' },
    ]);
    expect(dataOf(await kit.server.from('authors').delete().eq('id', id).select())).toHaveLength(1);
    expect((await kit.server.from('authors').select().eq('id', id).maybeSingle()).data).toBeNull();
  });

  test('give times as PostgREST writes them', async () => {
    const written = '2024-05-06T07:08:09.123456+00:00';
    const [book] = dataOf(
      await kit.server
        .from('books')
        .update({ published_at: written })
        .eq('title', 'The Dispossessed')
        .select('published_at'),
    );
    expect(book?.published_at).toBe(written);
  });

  test('keep arrays of an enum that was made after the start', async () => {
    expect(
      dataOf(await kit.server.from('books').select('moods').eq('title', 'The Dispossessed').single()).moods,
    ).toEqual(['calm']);
  });
});

describe('values of every kind', () => {
  test('are answered as PostgreSQL itself writes them as JSON', async () => {
    await kit.sql.unsafe(`
      insert into kinds values (
        1, '\\xdeadbeef', '2024-01-02', '10:00', '2024-01-02 03:04:05', '1 day 2 hours',
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'NaN', true, '[1,5)', '10.0.0.1', row(1, 'x'),
        '{2024-01-02 03:04:05+00}', '{1.50,NULL}', array['{"a": 1.50}'::jsonb], '{true,NULL}',
        array['a', 'b c', 'd"e', NULL, 'NULL', '{f}'], '{{1,2},{3,4}}')`);
    const [row] = await kit.sql`select row_to_json(kinds)::text as json from kinds where id = 1`;
    const answer = await fetch(`${kit.url}/rest/v1/kinds?id=eq.1`, { headers: { apikey: kit.settings.secretKey } });
    expect(JSON.parse(await answer.text())).toEqual([JSON.parse(row?.json)]);
  });

  test('are stored as they were sent', async () => {
    const row = {
      id: 2,
      bytes: '\\xbeef',
      day: '2024-05-05',
      flag: false,
      float: 2.5,
      range: '[2,3)',
      pair: null,
      times: ['2024-01-02T03:04:05+00:00'],
      amounts: [1.5, null],
      documents: [{ a: [1, null] }, 'text'],
      flags: [true, null, false],
      texts: ['x', 'y,z', '"', null, ''],
      grid: [
        [1, 2],
        [3, 4],
      ],
    };
    expect(dataOf(await kit.server.from('kinds').insert(row).select().single())).toMatchObject(row);
    expect(dataOf(await kit.server.from('kinds').select('id').eq('flag', false))).toEqual([{ id: 2 }]);
    expect(dataOf(await kit.server.from('kinds').select('id').contains('texts', ['x']))).toEqual([{ id: 2 }]);
  });
});

describe('values beyond a JavaScript number', () => {
  const request = async (method: string, path: string, body?: string) => {
    const response = await fetch(`${kit.url}/rest/v1/${path}`, {
      method,
      headers: { apikey: kit.settings.secretKey, 'content-type': 'application/json', prefer: 'return=representation' },
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, text: await response.text() };
  };

  test('go in and come out digit by digit', async () => {
    const row =
      '{"id":9007199254740993,"amount":12345678901234567890.12345,"document":{"n":9223372036854775807,"deep":[1.10]},"label":"9007199254740993","many":[9007199254740995]}';
    const written = await request('POST', 'big', row);
    expect(written).toEqual({ status: 201, text: `[${row}]` });
    expect((await request('GET', 'big?id=eq.9007199254740993')).text).toBe(`[${row}]`);
    expect((await request('GET', 'big?id=eq.9007199254740992')).text).toBe('[]');
    const [stored] = await kit.sql`select id::text, amount::text, document::text, label, many::text from big`;
    expect(stored).toEqual({
      id: '9007199254740993',
      amount: '12345678901234567890.12345',
      document: '{"n": 9223372036854775807, "deep": [1.10]}',
      label: '9007199254740993',
      many: '{9007199254740995}',
    });
    await kit.sql`truncate big`;
  });

  test('go in as text, too', async () => {
    await request('POST', 'big', '{"id":"9007199254740997","amount":"1.50"}');
    expect((await request('GET', 'big?select=id,amount')).text).toBe('[{"id":9007199254740997,"amount":1.50}]');
    await kit.sql`truncate big`;
  });

  test('are told apart in every kind of filter', async () => {
    await request('POST', 'big', '[{"id":9007199254740992,"label":"1e5"},{"id":9007199254740993,"label":"100000"}]');
    const ids = async (filter: string) => (await request('GET', `big?select=id&order=id&${filter}`)).text;
    expect(await ids('id=in.(9007199254740993,1)')).toBe('[{"id":9007199254740993}]');
    expect(await ids('or=(id.eq.9007199254740993,id.eq.1)')).toBe('[{"id":9007199254740993}]');
    expect(await ids('id=not.eq.9007199254740993')).toBe('[{"id":9007199254740992}]');
    expect(await ids('id=gt.9007199254740992')).toBe('[{"id":9007199254740993}]');
    expect(await ids('label=eq.1e5')).toBe('[{"id":9007199254740992}]');
    expect(await ids('label=in.(1e5)')).toBe('[{"id":9007199254740992}]');
    expect(await ids('label=eq.null')).toBe('[]');
    expect(await ids('label=is.null')).toBe('[]');
    await kit.sql`truncate big`;
  });

  test('are updated and deleted by the row that was meant', async () => {
    await request('POST', 'big', '[{"id":9007199254740992},{"id":9007199254740993}]');
    await request('PATCH', 'big?id=eq.9007199254740993', '{"label":"mine"}');
    expect((await request('GET', 'big?select=id&label=eq.mine')).text).toBe('[{"id":9007199254740993}]');
    await request('DELETE', 'big?id=eq.9007199254740993&select=id');
    expect((await request('GET', 'big?select=id')).text).toBe('[{"id":9007199254740992}]');
    await kit.sql`truncate big`;
  });

  test('pass through functions', async () => {
    const body = '{"p_id":9007199254740993,"p_document":{"n":9007199254740995}}';
    const answer = '[{"id":9007199254740993,"document":{"n":9007199254740995}}]';
    expect((await request('POST', 'rpc/echo_big', body)).text).toBe(answer);
    const query = new URLSearchParams({ p_id: '9007199254740993', p_document: '{"n":9007199254740995}' });
    expect((await request('GET', `rpc/echo_big?${query}`)).text).toBe(answer);
  });

  test('that look like data stay texts in a json column', async () => {
    for (const text of ['true', '123', '{"a":1}', 'null', '[1]', '"quoted"', 'plain']) {
      await kit.sql`truncate big`;
      await request('POST', 'big', JSON.stringify({ id: 1, document: text, label: text }));
      const [row] = await kit.sql`select jsonb_typeof(document) as type, document #>> '{}' as text, label from big`;
      expect(row).toEqual({ type: 'string', text, label: text });
    }
    await kit.sql`truncate big`;
  });
});

describe('functions', () => {
  test('answer scalars, rows and void', async () => {
    expect(dataOf(await kit.server.rpc('add', { a: 2, b: 3 }))).toBe(5);
    expect(
      dataOf(await kit.server.rpc('books_of', { p_author: 'Le Guin' }).select('title').order('title')),
    ).toHaveLength(2);
    expect(dataOf(await kit.server.rpc('add', { a: 1, b: 1 }, { get: true }))).toBe(2);
  });

  test('take documents as documents and texts as texts', async () => {
    expect(dataOf(await kit.server.rpc('describe', { p_document: { name: 'a' } }))).toBe('object:a');
    expect(dataOf(await kit.server.rpc('describe', { p_document: [1, 2] }))).toBe('array:[1, 2]');
    expect(dataOf(await kit.server.rpc('describe', { p_document: 'hello' }))).toBe('string:hello');
    expect(dataOf(await kit.server.rpc('describe', { p_document: 'true' }))).toBe('string:true');
    expect(dataOf(await kit.server.rpc('describe', { p_document: 42 }))).toBe('number:42');
  });

  test('that raise are answered 400 with their words', async () => {
    const { error, status } = await kit.server.rpc('fail', { p_message: 'no more' });
    expect(status).toBe(400);
    expect(error).toMatchObject({
      code: 'P0001',
      message: 'no more',
      details: 'on purpose',
      hint: 'try something else',
    });
  });
});

describe('a refused change', () => {
  test('names a broken check with 23514 and status 400', async () => {
    const { id } = dataOf(await kit.server.from('authors').select('id').single());
    const { error, status } = await kit.server.from('books').insert({ author_id: id, title: '' });
    expect(status).toBe(400);
    expect(error?.code).toBe('23514');
    expect(error?.message).toContain('violates check constraint');
  });

  test.each([
    ['23505', 409, { name: 'Le Guin' }],
    ['23502', 400, { name: null }],
    ['PGRST204', 400, { nothing: 1 }],
  ])('names %s with status %i', async (code, status, row: Record<string, unknown>) => {
    const answer = await kit.server.from('authors').insert(row);
    expect(answer).toMatchObject({ status, error: { code } });
  });

  test('keeps nothing when more rows changed than were asked for', async () => {
    const { error, status } = await kit.server.from('books').update({ price: 1 }).gt('id', 0).select().single();
    expect(status).toBe(406);
    expect(error?.code).toBe('PGRST116');
    expect(await kit.sql`select from books where price = 1`).toHaveLength(0);
  });

  test('to an unknown table is PGRST205', async () => {
    expect(await kit.server.from('nowhere').select()).toMatchObject({ status: 404, error: { code: 'PGRST205' } });
  });
});
