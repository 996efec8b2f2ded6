import { SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { Keyring } from '../../../embedded-supabase/auth/identity.ts';

const jwtSecret = 'a secret of the tests, long enough to be one';
const keyring = new Keyring({ publishableKey: 'sb_publishable_test', secretKey: 'sb_secret_test', jwtSecret });
const sign = (claims: Record<string, unknown>, secret = jwtSecret) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret));

test('keys stand for their roles', async () => {
  expect(await keyring.resolveKey('sb_publishable_test')).toEqual({ type: 'publishable', claims: { role: 'anon' } });
  expect(await keyring.resolveKey('sb_secret_test')).toEqual({ type: 'secret', claims: { role: 'service_role' } });
  expect(await keyring.resolveKey(await sign({ role: 'service_role' }))).toMatchObject({ type: 'secret' });
  expect(await keyring.resolveKey(await sign({ role: 'anon' }))).toMatchObject({ type: 'publishable' });
});

test.each(['', 'sb_secret_tes', 'sb_secret_test ', 'a.b.c', 'nonsense'])('"%s" is no key', async (key) => {
  expect(await keyring.resolveKey(key)).toBeUndefined();
});

test('a token of a user, or signed with another secret, is no key', async () => {
  expect(await keyring.resolveKey(await sign({ role: 'authenticated' }))).toBeUndefined();
  expect(
    await keyring.resolveKey(await sign({ role: 'service_role' }, 'another secret, as long as the first one')),
  ).toBeUndefined();
});

test('a user’s token decides as whom, whatever the key', async () => {
  const bearer = await sign({ role: 'authenticated', sub: 'ada' });
  for (const apiKey of ['sb_publishable_test', 'sb_secret_test']) {
    expect(await keyring.identify({ apiKey, bearer })).toMatchObject({ claims: { role: 'authenticated', sub: 'ada' } });
  }
});

test('a key alone, or the same key as token, stands for itself', async () => {
  const anon = { type: 'publishable', claims: { role: 'anon' } };
  expect(await keyring.identify({ apiKey: 'sb_publishable_test', bearer: undefined })).toEqual(anon);
  expect(await keyring.identify({ apiKey: 'sb_publishable_test', bearer: 'sb_publishable_test' })).toEqual(anon);
  expect(await keyring.identify({ apiKey: 'sb_publishable_test', bearer: 'sb_secret_test' })).toEqual(anon);
});

test('without a good key, or with a bad token, nobody is identified', async () => {
  const bearer = await sign({ role: 'authenticated', sub: 'ada' });
  expect(await keyring.identify({ apiKey: undefined, bearer })).toBeUndefined();
  expect(await keyring.identify({ apiKey: 'wrong', bearer })).toBeUndefined();
  expect(await keyring.identify({ apiKey: 'sb_secret_test', bearer: 'forged' })).toBeUndefined();
});
