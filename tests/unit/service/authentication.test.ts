import { randomUUID } from 'node:crypto';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { Authentication } from '../../../service/http/authentication.ts';

const secretKey = 'sb_secret_0123456789';
const jwtSecret = 'a secret of more than thirty-two characters';
const authentication = new Authentication({ secretKey, jwtSecret });
const id = randomUUID();

const sign = (
  claims: Record<string, unknown>,
  options: { alg?: string; secret?: string; expires?: string | null } = {},
) => {
  const { alg = 'HS256', secret = jwtSecret, expires = '1h' } = options;
  const token = new SignJWT(claims).setProtectedHeader({ alg }).setIssuedAt();
  return (expires === null ? token : token.setExpirationTime(expires)).sign(new TextEncoder().encode(secret));
};
const user = { sub: id, role: 'authenticated', aud: 'authenticated' };

describe('a request is', () => {
  it('the server’s with the secret key', async () => {
    expect(await authentication.identify(`Bearer ${secretKey}`)).toEqual({ kind: 'server' });
    expect(await authentication.identify(`bearer  ${secretKey}`)).toEqual({ kind: 'server' });
  });

  it('a user’s with the user’s token', async () => {
    const token = await sign(user);
    expect(await authentication.identify(`Bearer ${token}`)).toEqual({ kind: 'user', id, token });
  });

  it.each<[string, () => Promise<string | undefined> | string | undefined]>([
    ['nothing', () => undefined],
    ['an empty header', () => ''],
    ['another scheme', () => `Basic ${secretKey}`],
    ['a key without a scheme', () => secretKey],
    ['a publishable key', () => 'Bearer sb_publishable_0123456789'],
    ['a key that is a little longer', () => `Bearer ${secretKey}0`],
    ['a key that is a little shorter', () => `Bearer ${secretKey.slice(0, -1)}`],
    ['two keys', () => `Bearer ${secretKey} ${secretKey}`],
    ['a token that has expired', async () => `Bearer ${await sign(user, { expires: '-10s' })}`],
    ['a token that never expires', async () => `Bearer ${await sign(user, { expires: null })}`],
    ['a token under another secret', async () => `Bearer ${await sign(user, { secret: `${jwtSecret}!` })}`],
    ['a token under another algorithm', async () => `Bearer ${await sign(user, { alg: 'HS512' })}`],
    ['a token without a signature', () => `Bearer ${new UnsecuredJWT(user).setExpirationTime('1h').encode()}`],
    ['a token of the service role', async () => `Bearer ${await sign({ ...user, role: 'service_role' })}`],
    ['a token of nobody', async () => `Bearer ${await sign({ role: 'anon', aud: 'authenticated' })}`],
    ['a token of the anon role', async () => `Bearer ${await sign({ ...user, role: 'anon' })}`],
    ['a token for another audience', async () => `Bearer ${await sign({ ...user, aud: 'elsewhere' })}`],
    ['a token without an audience', async () => `Bearer ${await sign({ sub: id, role: 'authenticated' })}`],
    ['a token for something else than a user', async () => `Bearer ${await sign({ ...user, sub: "x' or 1=1" })}`],
    ['a token that was cut', async () => `Bearer ${(await sign(user)).slice(0, -2)}`],
    ['no token at all', () => 'Bearer a.b.c'],
  ])('nobody’s with %s', async (_what, header) => {
    await expect(authentication.identify(await header())).rejects.toMatchObject({
      status: 401,
      code: 'unauthorized',
      headers: { 'www-authenticate': 'Bearer' },
    });
  });

  it('refused without the token in the reason', async () => {
    const token = await sign(user, { secret: `${jwtSecret}!` });
    const refusal = await authentication.identify(`Bearer ${token}`).catch((error: unknown) => error);
    expect(JSON.stringify(refusal)).not.toContain(token.split('.')[2]);
  });
});
