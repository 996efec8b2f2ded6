import { expect, test } from 'vitest';
import { refusals } from '../../../../scripts/releases/refusals.ts';
import { liveUpdate } from '../../../../scripts/releases/updates.ts';
import { manifestOf, updateOf } from './sample-updates.ts';

const first = updateOf(1, 'a');
const second = updateOf(2, 'b');

test('an earlier release can be gone back to', () => {
  expect(refusals(first, [second, first])).toEqual([]);
});

test('the live one can not, nor another update that deployed the same', () => {
  expect(refusals(second, [second, first])).toEqual(['it is live']);
  const back = updateOf(3, 'a');
  expect(refusals(first, [back, second, first])).toEqual(['it is live']);
  const configured = updateOf(3, 'a', { config: { values: { x: '1' }, encryption: { encryptionsalt: 'v1:salt' } } });
  expect(refusals(first, [configured, second, first])).toEqual([]);
});

test('the newest that succeeded can, once a later one failed, was killed, or took everything down', () => {
  for (const later of [
    updateOf(3, 'c', { result: 'failed', manifest: undefined }),
    updateOf(3, 'c', { result: 'in-progress', manifest: undefined }),
    updateOf(3, 'c', { kind: 'destroy', manifest: undefined }),
  ]) {
    expect(refusals(second, [later, second, first])).toEqual([]);
  }
  expect(liveUpdate([updateOf(3, 'c', { result: 'failed', manifest: undefined }), second])).toBe(second);
  expect(liveUpdate([updateOf(3, 'c', { kind: 'destroy', manifest: undefined }), second])).toBeUndefined();
});

test('what failed, is torn, has no manifest or no program can not', () => {
  const bad = (changes: object) => refusals(updateOf(1, 'a', changes), [second]).join();
  expect(bad({ result: 'failed', manifest: undefined })).toContain('did not succeed');
  expect(bad({ damage: 'x is torn' })).toContain('x is torn');
  expect(bad({ manifest: undefined })).toContain('before releases had a manifest');
  expect(bad({ kind: 'destroy' })).toContain('took the stack down');
  const unkept = manifestOf('a', { program: { commit: null, snapshot: null, clean: false } });
  expect(bad({ manifest: unkept })).toContain('was not kept');
});

test('nothing from before a contract migration can, also where the update that applied it failed', () => {
  const contract = { '20260201000000_drop': 'title_old is not read any more' };
  const later = updateOf(2, 'b', { contracts: contract });
  expect(refusals(first, [later, first])).toEqual([
    expect.stringMatching(/20260201000000_drop took away .*title_old is not read any more.*restore a backup/),
  ]);
  const failed = updateOf(2, 'b', { result: 'failed', manifest: undefined, contracts: contract });
  expect(refusals(first, [failed, first])).toHaveLength(1);
  expect(refusals(updateOf(2, 'b', { contracts: contract }), [updateOf(3, 'c', { contracts: contract })])).toEqual([]);
});

test('nothing whose data was elsewhere can', () => {
  const at = (host?: string) => ({
    values: host ? { 'conversation-kit:dockerHost': host } : {},
    encryption: { encryptionsalt: 'v1:salt' },
  });
  expect(refusals(first, [updateOf(2, 'b', { namespace: 'other' }), first])[0]).toContain('namespace: ck, now other');
  expect(refusals(first, [updateOf(2, 'b', { config: at('ssh://box') }), first])[0]).toContain('now ssh://box');
  expect(refusals(first, [updateOf(2, 'b', { record: 'https://x.supabase.co' }), first])[0]).toContain('embedded');
});

test('secrets that another passphrase encrypted keep a release from being gone back to, and only they', () => {
  const salted = { config: { values: {}, encryption: { encryptionsalt: 'v1:new' } } };
  expect(refusals(first, [updateOf(2, 'b', salted), first])).toEqual([]);
  const secret = updateOf(1, 'a', {
    config: {
      values: { 'conversation-kit:databaseUrl': { secure: 'v1:x' } },
      encryption: { encryptionsalt: 'v1:salt' },
    },
  });
  expect(refusals(secret, [updateOf(2, 'b', salted), secret])[0]).toContain('encrypted with a passphrase');
  expect(refusals(secret, [second, secret])).toEqual([]);
});
