import { randomUUID } from 'node:crypto';
import { type Kysely, type QueryExecutorProvider, sql } from 'kysely';
import { z } from 'zod';
import { AuthError } from './auth-error.ts';

const metadata = z.record(z.string(), z.unknown());

/** A row of `user` below. */
const userRow = z.object({
  id: z.string(),
  aud: z.string().nullable(),
  role: z.string().nullable(),
  email: z.string().nullable(),
  phone: z.string().nullable(),
  email_confirmed_at: z.string().nullable(),
  phone_confirmed_at: z.string().nullable(),
  confirmed_at: z.string().nullable(),
  last_sign_in_at: z.string().nullable(),
  raw_app_meta_data: metadata.nullable(),
  raw_user_meta_data: metadata.nullable(),
  identities: z.array(z.unknown()),
  created_at: z.string().nullable(),
  updated_at: z.string().nullable(),
  is_anonymous: z.boolean(),
});

/** A user as the admin API shows it. Times are ISO 8601. */
export type User = ReturnType<typeof toUser>;

/** New values of a user's columns; what is left out stays (or is null in a new user). */
export interface UserColumns {
  readonly email?: string | undefined;
  readonly phone?: string | undefined;
  readonly passwordHash?: string | undefined;
  readonly emailConfirmed?: boolean | undefined;
  readonly phoneConfirmed?: boolean | undefined;
  readonly role?: string | undefined;
  /** Merged into what is there; null takes a key away. */
  readonly userMetadata?: Record<string, unknown> | undefined;
  readonly appMetadata?: Record<string, unknown> | undefined;
}

const user = sql`
  select u.id, u.aud, u.role, u.email, u.phone, u.email_confirmed_at, u.phone_confirmed_at, u.confirmed_at,
         u.last_sign_in_at, u.raw_app_meta_data, u.raw_user_meta_data, u.created_at, u.updated_at, u.is_anonymous,
         coalesce(i.identities, '[]') as identities
  from auth.users u
  left join lateral (
    select jsonb_agg(jsonb_build_object(
      'identity_id', id, 'id', provider_id, 'user_id', user_id, 'identity_data', identity_data, 'provider', provider,
      'last_sign_in_at', last_sign_in_at, 'created_at', created_at, 'updated_at', updated_at, 'email', email
    ) order by created_at) as identities
    from auth.identities where user_id = u.id
  ) i on true`;

/** One page, newest first; `page` counts from 1. `total` counts all users. */
export async function listUsers(
  db: QueryExecutorProvider,
  page: number,
  perPage: number,
): Promise<{ users: User[]; total: number }> {
  const offset = (page - 1) * perPage;
  const { rows } = await sql`${user} order by u.created_at desc, u.id limit ${perPage} offset ${offset}`.execute(db);
  const count = await sql<{ total: number }>`select count(*)::int as total from auth.users`.execute(db);
  return { users: rows.map(toUser), total: count.rows[0]?.total ?? 0 };
}

/** Throws `AuthError` 404 when there is no such user. */
export async function findUser(db: QueryExecutorProvider, id: string): Promise<User> {
  const { rows } = await sql`${user} where u.id = ${id}`.execute(db);
  if (rows[0] === undefined) throw new AuthError(404, 'user_not_found', 'User not found');
  return toUser(rows[0]);
}

export async function createUser(db: Kysely<unknown>, id: string, columns: UserColumns): Promise<User> {
  const { email, phone, userMetadata = {}, appMetadata = {} } = columns;
  const providers = [...(email === undefined ? [] : ['email']), ...(phone === undefined ? [] : ['phone'])];
  const app = { provider: providers[0], providers, ...appMetadata };
  return db.transaction().execute(async (transaction) => {
    await sql`
      insert into auth.users (id, aud, role, email, phone, encrypted_password, email_confirmed_at, phone_confirmed_at,
                              raw_app_meta_data, raw_user_meta_data)
      values (${id}, 'authenticated', ${columns.role ?? 'authenticated'}, ${email ?? null}, ${phone ?? null},
              ${columns.passwordHash ?? null}, case when ${columns.emailConfirmed ?? false}::boolean then now() end,
              case when ${columns.phoneConfirmed ?? false}::boolean then now() end,
              ${JSON.stringify(app)}::jsonb, ${JSON.stringify(userMetadata)}::jsonb)`.execute(transaction);
    for (const provider of providers) {
      const data = { sub: id, email, phone, email_verified: false, phone_verified: false };
      await sql`
        insert into auth.identities (id, provider, provider_id, user_id, identity_data)
        values (${randomUUID()}, ${provider}, ${id}, ${id}, ${JSON.stringify(data)}::jsonb)`.execute(transaction);
    }
    return findUser(transaction, id);
  });
}

export async function updateUser(db: Kysely<unknown>, id: string, columns: UserColumns): Promise<User> {
  return db.transaction().execute(async (transaction) => {
    await sql`select from auth.users where id = ${id} for update`.execute(transaction);
    const before = await findUser(transaction, id);
    const { email, phone } = columns;
    await sql`
      update auth.users set
        email = coalesce(${email ?? null}, email),
        phone = coalesce(${phone ?? null}, phone),
        encrypted_password = coalesce(${columns.passwordHash ?? null}, encrypted_password),
        email_confirmed_at = case when ${columns.emailConfirmed ?? false}::boolean
                                  then coalesce(email_confirmed_at, now()) else email_confirmed_at end,
        phone_confirmed_at = case when ${columns.phoneConfirmed ?? false}::boolean
                                  then coalesce(phone_confirmed_at, now()) else phone_confirmed_at end,
        role = coalesce(${columns.role ?? null}, role),
        raw_app_meta_data = ${JSON.stringify(merge(before.app_metadata, columns.appMetadata))}::jsonb,
        raw_user_meta_data = ${JSON.stringify(merge(before.user_metadata, columns.userMetadata))}::jsonb,
        updated_at = now()
      where id = ${id}`.execute(transaction);
    if (email !== undefined) {
      await sql`
        update auth.identities
        set identity_data = identity_data || jsonb_build_object('email', ${email}::text), updated_at = now()
        where user_id = ${id} and provider = 'email'`.execute(transaction);
    }
    return findUser(transaction, id);
  });
}

/** Sessions and identities go with the user; rows of other tables as their foreign keys say. */
export async function deleteUser(db: QueryExecutorProvider, id: string): Promise<void> {
  const { numAffectedRows } = await sql`delete from auth.users where id = ${id}`.execute(db);
  if (numAffectedRows !== 1n) throw new AuthError(404, 'user_not_found', 'User not found');
}

function merge(before: Record<string, unknown>, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...before, ...changes }).filter(([, value]) => value !== null));
}

function toUser(row: unknown) {
  const { raw_app_meta_data, raw_user_meta_data, identities, ...columns } = userRow.parse(row);
  const present = Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== null));
  return {
    ...present,
    id: columns.id,
    aud: columns.aud ?? 'authenticated',
    role: columns.role ?? 'authenticated',
    email: columns.email ?? '',
    phone: columns.phone ?? '',
    app_metadata: raw_app_meta_data ?? {},
    user_metadata: raw_user_meta_data ?? {},
    identities,
  };
}
