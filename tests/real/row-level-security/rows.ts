import { buckets } from '../../../infra/supabase/conversation-schema.ts';

/**
 * What the matrix has to know of each table: a row of each owner, how to write one, and who may do what. A table that a
 * migration adds fails the tests until it has an entry here.
 */
export interface GuardedTable {
  readonly name: string;
  /** SQL that makes the rows, as superuser. */
  seed(people: People): string;
  /** SQL expression over `t` that says which of the rows it is. */
  readonly label: string;
  /** Without a condition: which rows they reach, row-level security decides. By the columns of the tables below. */
  statements(people: People): Readonly<Record<string, string>>;
  /** False for Storage's tables: they are the platform's. */
  readonly isForced: boolean;
  /** Columns that users may write, by the grants. */
  readonly userColumns: { readonly insert: readonly string[]; readonly update: readonly string[] };
  /**
   * What each statement comes to, by who runs it: the rows that were seen or changed, `none`, `ok` of an insert, `refused`
   * by row-level security, `no grant`; `-`: not asked. With the grants as the migrations leave them, and with every grant
   * there is, so that row-level security is alone.
   */
  readonly deployed: Outcomes;
  readonly withEveryGrant: Outcomes;
}

/** Ids of users. */
export interface People {
  readonly ada: string;
  readonly bob: string;
  readonly carol: string;
}

export type Outcomes = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Reads a table: statements in its first line, who runs them in its first column. */
function outcomes(table: string): Outcomes {
  const [heads = [], ...lines] = table
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return Object.fromEntries(
    lines.map(([actor = '', ...cells]) => [
      actor,
      Object.fromEntries(cells.flatMap((cell, index) => (cell === '-' ? [] : [[heads[index + 1] ?? '', cell]]))),
    ]),
  );
}

const id = (number: number) => `00000000-0000-4000-8000-00000000000${number}`;
const value = (owner: string | null) => (owner === null ? 'null' : `'${owner}'`);
const cases = (column: string, rows: readonly (readonly [string, string])[]) =>
  `case ${column} ${rows.map(([key, row]) => `when '${key}' then '${row}'`).join(' ')} else 'new' end`;

/** One conversation of each user, one that has ended, and one of the server's. */
const conversations = [
  { row: 'ada', id: id(1), owner: 'ada', ended: false },
  { row: 'ended', id: id(2), owner: 'ada', ended: true },
  { row: 'bob', id: id(3), owner: 'bob', ended: false },
  { row: 'nobody', id: id(4), owner: null, ended: false },
] as const;
const conversationOf = { ada: id(1), ended: id(2), bob: id(3), nobody: id(4), nowhere: id(9) };
const conversationRows = conversations.map((each) => [each.id, each.row] as const);

const conversationsTable: GuardedTable = {
  name: 'public.conversations',
  isForced: true,
  seed: (people) =>
    conversations
      .map(
        (each) =>
          `insert into public.conversations (id, user_id, title, deleted_at)
           values ('${each.id}', ${value(each.owner && people[each.owner])}, 'title', ${each.ended ? 'now()' : 'null'});`,
      )
      .join('\n'),
  label: cases('t.id', conversationRows),
  statements({ ada, bob, carol }) {
    const insert = (owner: string | null) =>
      `insert into public.conversations (user_id, title) values (${value(owner)}, 'new')`;
    return {
      update: `update public.conversations set title = 'changed'`,
      end: 'update public.conversations set deleted_at = now()',
      'give away': `update public.conversations set user_id = '${carol}'`,
      delete: 'delete from public.conversations',
      truncate: 'truncate public.conversations cascade',
      'insert ada': insert(ada),
      'insert bob': insert(bob),
      'insert nobody': insert(null),
    };
  },
  userColumns: {
    insert: ['forked_from', 'id', 'metadata', 'title', 'ttl_seconds', 'user_id'],
    update: ['accessed_at', 'cleared_seq', 'deleted_at', 'metadata', 'title', 'ttl_seconds'],
  },
  deployed: outcomes(`
                | select   | update   | end      | give away | delete     | truncate | insert ada | insert bob | insert nobody
    ada         | ada      | ada      | ada      | no grant  | ada, ended | no grant | ok         | refused    | refused
    bob         | bob      | bob      | bob      | no grant  | bob        | no grant | refused    | ok         | refused
    nameless    | none     | none     | none     | no grant  | none       | no grant | refused    | refused    | refused
    anon        | no grant | no grant | no grant | no grant  | no grant   | no grant | no grant   | no grant   | no grant
    anon as ada | no grant | no grant | no grant | no grant  | no grant   | no grant | no grant   | no grant   | no grant
    server      | all      | all      | all      | all       | all        | all      | ok         | ok         | ok`),
  withEveryGrant: outcomes(`
                | select | update | end  | give away | delete     | insert ada | insert bob | insert nobody
    ada         | ada    | ada    | ada  | refused   | ada, ended | ok         | refused    | refused
    bob         | bob    | bob    | bob  | refused   | bob        | refused    | ok         | refused
    nameless    | none   | none   | none | none      | none       | refused    | refused    | refused
    anon        | none   | none   | none | none      | none       | refused    | refused    | refused
    anon as ada | none   | none   | none | none      | none       | refused    | refused    | refused
    server      | all    | all    | all  | all       | all        | ok         | ok         | ok
    table owner | none   | -      | -    | -         | -          | -          | -          | -`),
};

const messagesTable: GuardedTable = {
  name: 'public.messages',
  isForced: true,
  seed: () =>
    conversations
      .map(
        (each) => `insert into public.messages (conversation_id, client_message_id, role, content)
                   values ('${each.id}', 'first', 'user', '"hello"');`,
      )
      .join('\n'),
  label: `case t.client_message_id when 'first' then ${cases('t.conversation_id', conversationRows)} else 'new' end`,
  statements() {
    const insert = (conversation: string) =>
      `insert into public.messages (conversation_id, client_message_id, role, content)
       values ('${conversation}', 'second', 'user', '"hello"')`;
    return {
      update: `update public.messages set metadata = '{"is": "changed"}'`,
      delete: 'delete from public.messages',
      truncate: 'truncate public.messages',
      'insert ada': insert(conversationOf.ada),
      'insert ended': insert(conversationOf.ended),
      'insert bob': insert(conversationOf.bob),
      'insert nobody': insert(conversationOf.nobody),
      'insert nowhere': insert(conversationOf.nowhere),
    };
  },
  userColumns: { insert: ['client_message_id', 'content', 'conversation_id', 'metadata', 'role'], update: [] },
  deployed: outcomes(`
                | select   | update   | delete   | truncate | insert ada | insert ended | insert bob | insert nobody | insert nowhere
    ada         | ada      | no grant | no grant | no grant | ok         | refused      | refused    | refused       | refused
    bob         | bob      | no grant | no grant | no grant | refused    | refused      | ok         | refused       | refused
    nameless    | none     | no grant | no grant | no grant | refused    | refused      | refused    | refused       | refused
    anon        | no grant | no grant | no grant | no grant | no grant   | no grant     | no grant   | no grant      | no grant
    anon as ada | no grant | no grant | no grant | no grant | no grant   | no grant     | no grant   | no grant      | no grant
    server      | all      | all      | all      | all      | ok         | ok           | ok         | ok            | refused`),
  withEveryGrant: outcomes(`
                | select | update | delete | insert ada | insert ended | insert bob | insert nobody | insert nowhere
    ada         | ada    | none   | none   | ok         | refused      | refused    | refused       | refused
    bob         | bob    | none   | none   | refused    | refused      | ok         | refused       | refused
    nameless    | none   | none   | none   | refused    | refused      | refused    | refused       | refused
    anon        | none   | none   | none   | refused    | refused      | refused    | refused       | refused
    anon as ada | none   | none   | none   | refused    | refused      | refused    | refused       | refused
    server      | all    | all    | all    | ok         | ok           | ok         | ok            | refused
    table owner | none   | -      | -      | -          | -            | -          | -             | -`),
};

const threadsTable: GuardedTable = {
  name: 'public.conversation_threads',
  isForced: true,
  seed: ({ ada, bob }) =>
    [
      ['ada', ada],
      ['bob', bob],
      ['nobody', null],
    ]
      .map(
        ([thread, owner]) => `insert into public.conversation_threads (user_id, thread_id, document, ttl_seconds)
                              values (${value(owner ?? null)}, '${thread}', '{}', 60);`,
      )
      .join('\n'),
  label: 't.thread_id',
  statements({ ada, bob, carol }) {
    const insert = (owner: string | null) =>
      `insert into public.conversation_threads (user_id, thread_id, document, ttl_seconds) values (${value(owner)}, 'new', '{}', 60)`;
    return {
      update: `update public.conversation_threads set document = '{"is": "changed"}'`,
      'give away': `update public.conversation_threads set user_id = '${carol}'`,
      delete: 'delete from public.conversation_threads',
      truncate: 'truncate public.conversation_threads',
      'insert ada': insert(ada),
      'insert bob': insert(bob),
      'insert nobody': insert(null),
    };
  },
  userColumns: {
    insert: ['document', 'thread_id', 'ttl_seconds', 'user_id'],
    update: ['document', 'ttl_seconds'],
  },
  deployed: outcomes(`
                | select   | update   | give away | delete   | truncate | insert ada | insert bob | insert nobody
    ada         | ada      | ada      | no grant  | ada      | no grant | ok         | refused    | refused
    bob         | bob      | bob      | no grant  | bob      | no grant | refused    | ok         | refused
    nameless    | none     | none     | no grant  | none     | no grant | refused    | refused    | refused
    anon        | no grant | no grant | no grant  | no grant | no grant | no grant   | no grant   | no grant
    anon as ada | no grant | no grant | no grant  | no grant | no grant | no grant   | no grant   | no grant
    server      | all      | all      | all       | all      | all      | ok         | ok         | ok`),
  withEveryGrant: outcomes(`
                | select | update | give away | delete | insert ada | insert bob | insert nobody
    ada         | ada    | ada    | refused   | ada    | ok         | refused    | refused
    bob         | bob    | bob    | refused   | bob    | refused    | ok         | refused
    nameless    | none   | none   | none      | none   | refused    | refused    | refused
    anon        | none   | none   | none      | none   | refused    | refused    | refused
    anon as ada | none   | none   | none      | none   | refused    | refused    | refused
    server      | all    | all    | all       | all    | ok         | ok         | ok
    table owner | none   | -      | -         | -      | -          | -          | -`),
};

/** Tables that are the server's alone: users have no part in them. */
function serversOwn(
  name: string,
  seed: string,
  label: string,
  statements: Readonly<Record<'update' | 'delete' | 'insert', string>>,
): GuardedTable {
  return {
    name,
    isForced: true,
    seed: () => seed,
    label,
    statements: () => ({ ...statements, truncate: `truncate ${name}` }),
    userColumns: { insert: [], update: [] },
    deployed: outcomes(`
                  | select   | update   | delete   | truncate | insert
      ada         | no grant | no grant | no grant | no grant | no grant
      nameless    | no grant | no grant | no grant | no grant | no grant
      anon        | no grant | no grant | no grant | no grant | no grant
      anon as ada | no grant | no grant | no grant | no grant | no grant
      server      | all      | all      | all      | all      | ok`),
    withEveryGrant: outcomes(`
                  | select | update | delete | insert
      ada         | none   | none   | none   | refused
      nameless    | none   | none   | none   | refused
      anon        | none   | none   | none   | refused
      anon as ada | none   | none   | none   | refused
      server      | all    | all    | all    | ok
      table owner | none   | -      | -      | -`),
  };
}

const changesTable = serversOwn(
  'public.conversation_changes',
  `delete from public.conversation_changes;
   insert into public.conversation_changes (conversation_id) values ('${id(1)}');`,
  cases('t.conversation_id', conversationRows),
  {
    update: 'update public.conversation_changes set altered = true',
    delete: 'delete from public.conversation_changes',
    insert: `insert into public.conversation_changes (conversation_id) values ('${id(8)}')`,
  },
);

const feedTable = serversOwn(
  'public.change_feed',
  'insert into public.change_feed default values;',
  `case t.pruned_before when '0' then 'feed' else 'new' end`,
  {
    update: `update public.change_feed set marked = '1'`,
    delete: 'delete from public.change_feed',
    // There is one row at most.
    insert: `delete from public.change_feed; insert into public.change_feed (pruned_before) values ('1')`,
  },
);

const foreignBucket = 'of-somebody-else';

/** One bucket's objects, beside those of a bucket that is none of the kit's. */
function objectsOf(bucket: string): GuardedTable {
  const reached = `
                | select | update | give away | delete | insert ada | insert bob | insert nobody | insert foreign
    ada         | ada    | ada    | refused   | ada    | ok         | refused    | refused       | refused
    bob         | bob    | bob    | refused   | bob    | refused    | ok         | refused       | refused
    nameless    | none   | none   | none      | none   | refused    | refused    | refused       | refused
    anon        | none   | none   | none      | none   | refused    | refused    | refused       | refused
    anon as ada | none   | none   | none      | none   | refused    | refused    | refused       | refused
    server      | ada, bob, nobody | ada, bob, nobody | ada, bob, nobody | ada, bob, nobody | ok | ok | ok   | refused`;
  return {
    name: `storage.objects in ${bucket}`,
    isForced: false,
    seed: ({ ada, bob }) =>
      `insert into storage.buckets (id, name) values ('${bucket}', '${bucket}'), ('${foreignBucket}', '${foreignBucket}')
         on conflict do nothing;
       insert into storage.objects (bucket_id, name, user_metadata) values
         ('${bucket}', '${ada}/note', '{"row": "ada"}'), ('${bucket}', '${bob}/note', '{"row": "bob"}'),
         ('${bucket}', 'shared/note', '{"row": "nobody"}')
         on conflict do nothing;
       insert into storage.objects (bucket_id, name, user_metadata)
         values ('${foreignBucket}', '${ada}/note', '{"row": "foreign"}') on conflict do nothing;`,
    label: `coalesce(t.user_metadata ->> 'row', 'new')`,
    statements({ ada, bob, carol }) {
      const insert = (folder: string, into = bucket) =>
        `insert into storage.objects (bucket_id, name) values ('${into}', '${folder}/new')`;
      return {
        update: `update storage.objects set version = 'changed'`,
        'give away': `update storage.objects set name = '${carol}/' || id`,
        delete: 'delete from storage.objects',
        'insert ada': insert(ada),
        'insert bob': insert(bob),
        'insert nobody': insert('shared'),
        'insert foreign': insert(ada, foreignBucket),
      };
    },
    userColumns: { insert: [], update: [] },
    deployed: outcomes(reached),
    withEveryGrant: outcomes(reached),
  };
}

export const guardedTables: readonly GuardedTable[] = [
  conversationsTable,
  messagesTable,
  threadsTable,
  changesTable,
  feedTable,
  ...Object.keys(buckets).map(objectsOf),
];
