import { randomUUID } from 'node:crypto';
import { hash } from 'bcryptjs';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { parseExactJson } from '../database/exact-values.ts';
import { hostedOnly } from '../http/answers.ts';
import { AuthError } from './auth-error.ts';
import { createUser, deleteUser, findUser, listUsers, type UserColumns, updateUser } from './user-records.ts';

const attributes = z.looseObject({
  id: z.uuid().optional(),
  email: z.email('Unable to validate email address: invalid format').toLowerCase().optional(),
  phone: z.string().min(1).optional(),
  password: z.string().optional(),
  email_confirm: z.boolean().optional(),
  phone_confirm: z.boolean().optional(),
  role: z.string().min(1).optional(),
  user_metadata: z.record(z.string(), z.unknown()).optional(),
  app_metadata: z.record(z.string(), z.unknown()).optional(),
  ban_duration: z.literal('none').optional(),
  password_hash: z.undefined().optional(),
});

const paging = z.object({
  page: z.coerce.number().int().min(1).default(1),
  per_page: z.coerce.number().int().min(1).max(1000).default(50),
});

const base = '/auth/v1/admin/users';

/** `/auth/v1/admin/users…`, for a caller whose role was found to be service_role: what `supabase.auth.admin` calls. */
export async function answerAdminRequest(request: Request, url: URL, db: Kysely<unknown>): Promise<Response> {
  const id = new RegExp(`^${base}/([^/]+)$`).exec(url.pathname)?.[1];
  if (url.pathname !== base && id === undefined) return hostedOnly(`${request.method} ${url.pathname}`);
  try {
    if (id === undefined) {
      if (request.method === 'GET') return await list(url, db);
      if (request.method === 'POST') return await create(request, db);
      return methodNotAllowed('GET, POST');
    }
    if (!z.uuid().safeParse(id).success) throw new AuthError(404, 'validation_failed', 'user_id must be an UUID');
    if (request.method === 'GET') return Response.json(await findUser(db, id));
    if (request.method === 'PUT') return await update(request, id, db);
    if (request.method === 'DELETE') return await remove(request, id, db);
    return methodNotAllowed('GET, PUT, DELETE');
  } catch (error) {
    if (error instanceof AuthError) return error.toResponse();
    const known = conflict(error);
    if (known !== undefined) return known.toResponse();
    throw error;
  }
}

async function list(url: URL, db: Kysely<unknown>): Promise<Response> {
  const asked = paging.safeParse({
    page: url.searchParams.get('page') || undefined,
    per_page: url.searchParams.get('per_page') || undefined,
  });
  if (!asked.success) throw new AuthError(400, 'validation_failed', 'Bad Pagination Parameters');
  const { page, per_page: perPage } = asked.data;
  const { users, total } = await listUsers(db, page, perPage);
  const last = Math.max(1, Math.ceil(total / perPage));
  const link = (to: number, rel: string) => `<${base}?page=${to}&per_page=${perPage}>; rel="${rel}"`;
  const links = [...(page < last ? [link(page + 1, 'next')] : []), link(last, 'last')];
  const headers = { 'x-total-count': String(total), link: links.join(', ') };
  return Response.json({ users, aud: 'authenticated' }, { headers });
}

async function create(request: Request, db: Kysely<unknown>): Promise<Response> {
  const wanted = await readAttributes(request);
  if (wanted.email === undefined && wanted.phone === undefined) {
    throw new AuthError(400, 'validation_failed', 'Cannot create a user without either an email or phone');
  }
  return Response.json(await createUser(db, wanted.id ?? randomUUID(), await toColumns(wanted)));
}

async function update(request: Request, id: string, db: Kysely<unknown>): Promise<Response> {
  return Response.json(await updateUser(db, id, await toColumns(await readAttributes(request))));
}

async function remove(request: Request, id: string, db: Kysely<unknown>): Promise<Response> {
  const body = parseJson(await request.text());
  const soft = z.object({ should_soft_delete: z.literal(true) }).safeParse(body).success;
  if (soft) return hostedOnly('soft deletion of users');
  await deleteUser(db, id);
  return Response.json({});
}

async function readAttributes(request: Request): Promise<z.infer<typeof attributes>> {
  const parsed = attributes.safeParse(parseJson(await request.text()));
  if (parsed.success) return parsed.data;
  const unsupported = parsed.error.issues.find((issue) =>
    ['ban_duration', 'password_hash'].includes(String(issue.path[0])),
  );
  if (unsupported !== undefined) {
    throw new AuthError(501, 'hosted_only', `${String(unsupported.path[0])} works on hosted Supabase only`);
  }
  const mistakes = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`.replace(/^: /, ''));
  throw new AuthError(400, 'validation_failed', mistakes.join('; '));
}

async function toColumns(wanted: z.infer<typeof attributes>): Promise<UserColumns> {
  return {
    email: wanted.email,
    phone: wanted.phone,
    passwordHash: wanted.password === undefined ? undefined : await hashPassword(wanted.password),
    emailConfirmed: wanted.email_confirm,
    phoneConfirmed: wanted.phone_confirm,
    role: wanted.role,
    userMetadata: wanted.user_metadata,
    appMetadata: wanted.app_metadata,
  };
}

async function hashPassword(password: string): Promise<string> {
  if (password.length < 6) throw new AuthError(422, 'weak_password', 'Password should be at least 6 characters.');
  if (Buffer.byteLength(password) > 72) {
    throw new AuthError(400, 'validation_failed', 'Password cannot be longer than 72 characters');
  }
  return hash(password, 10);
}

/** The answer to a broken unique or foreign key; undefined for any other error. */
function conflict(error: unknown): AuthError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  if (error.code === '23503') {
    return new AuthError(500, 'unexpected_failure', 'Database error deleting user: other rows still refer to it', {
      cause: error,
    });
  }
  if (error.code !== '23505') return undefined;
  const constraint = 'constraint_name' in error ? String(error.constraint_name) : '';
  if (constraint.includes('phone')) {
    return new AuthError(422, 'phone_exists', 'A user with this phone number has already been registered', {
      cause: error,
    });
  }
  return new AuthError(422, 'email_exists', 'A user with this email address has already been registered', {
    cause: error,
  });
}

function methodNotAllowed(allow: string): Response {
  return new Response(null, { status: 405, headers: { allow } });
}

function parseJson(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    return undefined; // no JSON is no valid body: the schemas say so
  }
}
