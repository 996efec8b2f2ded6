import { randomUUID } from 'node:crypto';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { Authentication } from '../../../service/http/authentication.ts';

const secretKey = 'sb_secret_0123456789';
const jwtSecret = 'a secret of more than thirty-two characters';
const issuer = 'https://project.example/auth/v1';
const claims = { sub: randomUUID(), role: 'authenticated', aud: 'authenticated', iss: issuer };

const es256 = await generateKeyPair('ES256', { extractable: true });
const rs256 = await generateKeyPair('RS256', { extractable: true });
const stranger = await generateKeyPair('ES256', { extractable: true });
const publicKeys = {
  keys: [
    { ...(await exportJWK(es256.publicKey)), kid: 'ec', alg: 'ES256' },
    { ...(await exportJWK(rs256.publicKey)), kid: 'rsa' },
  ],
};
const authentication = new Authentication({ secretKey, publicKeys, issuer });

const sign = (key: CryptoKey | Uint8Array, header: { alg: string; kid?: string }, more: object = {}, expires = '1h') =>
  new SignJWT({ ...claims, ...more }).setProtectedHeader(header).setExpirationTime(expires).sign(key);
const identify = (token: string, by = authentication) => by.identify(`Bearer ${token}`);
const refused = { status: 401, code: 'unauthorized' };

describe('with public keys', () => {
  it.each([
    ['ES256', es256.privateKey, 'ec'],
    ['RS256', rs256.privateKey, 'rsa'],
  ])('a token signed with %s is its user’s', async (alg, key, kid) => {
    expect(await identify(await sign(key, { alg, kid }))).toMatchObject({ kind: 'user', id: claims.sub });
  });

  it('the clocks may differ by a few seconds, not by more', async () => {
    expect(await identify(await sign(es256.privateKey, { alg: 'ES256', kid: 'ec' }, {}, '-2s'))).toBeDefined();
    await expect(identify(await sign(es256.privateKey, { alg: 'ES256', kid: 'ec' }, {}, '-9s'))).rejects.toMatchObject(
      refused,
    );
  });

  it.each<[string, () => Promise<string>]>([
    [
      'a public key taken for an HMAC secret',
      async () => {
        const secret = new TextEncoder().encode(await exportSPKI(rs256.publicKey));
        return sign(secret, { alg: 'HS256', kid: 'rsa' });
      },
    ],
    ['HS256, where there is no secret', () => sign(new TextEncoder().encode(jwtSecret), { alg: 'HS256' })],
    ['another algorithm of the same key', () => sign(rs256.privateKey, { alg: 'PS256', kid: 'rsa' }).catch(() => 'x')],
    ['a key nobody knows', () => sign(stranger.privateKey, { alg: 'ES256', kid: 'other' })],
    ['a stranger’s key under a known name', () => sign(stranger.privateKey, { alg: 'ES256', kid: 'ec' })],
    ['the name of a key of another kind', () => sign(es256.privateKey, { alg: 'ES256', kid: 'rsa' })],
    ['another issuer', () => sign(es256.privateKey, { alg: 'ES256', kid: 'ec' }, { iss: 'https://other.example' })],
    ['no issuer', () => sign(es256.privateKey, { alg: 'ES256', kid: 'ec' }, { iss: undefined })],
    ['another audience', () => sign(es256.privateKey, { alg: 'ES256', kid: 'ec' }, { aud: 'anon' })],
    ['the anon role', () => sign(es256.privateKey, { alg: 'ES256', kid: 'ec' }, { role: 'anon' })],
  ])('a token is nobody’s with %s', async (_what, token) => {
    await expect(identify(await token())).rejects.toMatchObject(refused);
  });
});

it('with a secret as well, each kind of token is held to its own kind of key', async () => {
  const both = new Authentication({ secretKey, publicKeys, jwtSecret });
  const secret = new TextEncoder().encode(jwtSecret);
  expect(await identify(await sign(secret, { alg: 'HS256' }), both)).toMatchObject({ id: claims.sub });
  expect(await identify(await sign(es256.privateKey, { alg: 'ES256', kid: 'ec' }), both)).toMatchObject({
    id: claims.sub,
  });
  const confused = new TextEncoder().encode(await exportSPKI(es256.publicKey));
  await expect(identify(await sign(confused, { alg: 'HS256', kid: 'ec' }), both)).rejects.toMatchObject(refused);
});
