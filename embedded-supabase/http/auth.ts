import { z } from 'zod';
import { answerAdminRequest } from '../auth/admin-api.ts';
import { authErrorResponse } from '../auth/auth-error.ts';
import { credentialsOf } from '../auth/identity.ts';
import { isJson, markDocumentBody } from '../database/exact-values.ts';
import { hostedOnly, invalidKey } from './answers.ts';
import { markedBody, withoutMarks } from './marked-messages.ts';
import { type Call, identify, type SurfaceParts } from './surface.ts';

/** A sign-up that names nobody. */
const anonymousSignUp = z.object({
  email: z.literal('').nullish(),
  phone: z.literal('').nullish(),
  password: z.literal('').nullish(),
});

/** /auth/v1: lite's Auth, and the admin API beside it. */
export async function answerAuth(call: Call, parts: SurfaceParts): Promise<Response> {
  const { request, url } = call;
  const { method } = request;
  if (url.pathname.startsWith('/auth/v1/admin') || url.pathname === '/auth/v1/invite') return answerAdmin(call, parts);
  const outgoing = await markedBody(request, new Headers(request.headers), markDocumentBody);
  if (url.pathname === '/auth/v1/signup' && method === 'POST' && isAnonymous(outgoing.body)) {
    return hostedOnly('anonymous sign-in');
  }
  return withoutMarks(await parts.lite.fetch(new Request(request.url, { method, ...outgoing, duplex: 'half' })));
}

async function answerAdmin(call: Call, { connection, keyring }: SurfaceParts): Promise<Response> {
  const { request, url, scope } = call;
  await identify(call, keyring);
  if (scope.identity?.claims.role === 'service_role') {
    return withoutMarks(await answerAdminRequest(request, url, connection.kysely));
  }
  const { apiKey } = credentialsOf(request, url);
  if (apiKey === undefined || (await keyring.resolveKey(apiKey)) === undefined) return invalidKey();
  return authErrorResponse(403, 'not_admin', 'User not allowed');
}

function isAnonymous(body: unknown): boolean {
  return typeof body === 'string' && isJson(body) && anonymousSignUp.safeParse(JSON.parse(body)).success;
}
