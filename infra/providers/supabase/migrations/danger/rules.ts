/** What a rule of dangerous DDL is about, in the words of its refusal and of `docs/migrations.md`. */
export interface DangerRule {
  /** What happens to whoever uses the database meanwhile. */
  readonly why: string;
  /** The same change without that. */
  readonly safe: string;
  /** Breaks what earlier releases of the service use: meant for a contract migration, which says so in its header. */
  readonly contract?: true;
}

/** Every rule, by the name that `-- allow: <rule>: <reason>` uses. */
export const dangerRules = {
  'table-rewrite': {
    why: 'every row is written anew under a lock that keeps out readers and writers',
    safe: 'add a new column without a volatile default, fill it in batches, change over to it, drop the old one later',
  },
  'not-null': {
    why: 'it fails as soon as the table holds a row',
    safe: 'give it a default that is not volatile, or add it nullable, fill it, and set not null later',
  },
  'set-not-null': {
    why: 'the whole table is read under a lock that keeps out readers and writers',
    safe: 'add constraint … check (<column> is not null) not valid; in a later file validate it; in one after that set not null',
  },
  index: {
    why: 'nobody can write to the table until the index is built',
    safe: 'a file of its own that begins with "-- migrate: no-transaction", and in it create index concurrently (reindex … concurrently)',
  },
  constraint: {
    why: 'the whole table is read, or an index built, under a lock that keeps out writers',
    safe: 'a check: add it not valid, and validate it in a later file; a unique or primary key: create unique index concurrently in a file of its own, then add constraint … using index',
  },
  'foreign-key': {
    why: 'both tables are locked against writing while every row is looked up',
    safe: 'add constraint … foreign key … not valid, and validate it in a later file',
  },
  drop: {
    why: 'a release that still runs, or that is rolled back to, may use it; and the data in it is gone',
    safe: 'stop using it in one release, and drop it in a contract migration of a later one',
    contract: true,
  },
  rename: {
    why: 'a release that still runs, or that is rolled back to, uses the old name',
    safe: 'add the new one beside it, use that in a release, and drop the old one in a contract migration of a later one',
    contract: true,
  },
  'disable-rls': {
    why: 'whoever has a grant on the table sees and writes every row',
    safe: 'leave row-level security on, and write the policy that is missing',
  },
  truncate: {
    why: 'every row is gone, under a lock that keeps out readers and writers',
    safe: 'delete what has to go, by a condition and in batches',
  },
  'lock-table': {
    why: 'whoever comes after it waits for the end of the file',
    safe: 'leave the lock to the statement that needs it',
  },
} as const satisfies Readonly<Record<string, DangerRule>>;

export type DangerRuleName = keyof typeof dangerRules;

export const isDangerRule = (name: string): name is DangerRuleName => Object.hasOwn(dangerRules, name);

/** Something dangerous that a statement does. */
export interface Danger {
  readonly rule: DangerRuleName;
  /** Such as `create index on public.messages`. */
  readonly what: string;
  /** It is dangerous only if this table holds rows, and that could not be looked up. */
  readonly ifRowsIn?: string;
}
