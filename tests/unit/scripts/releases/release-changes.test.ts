import { expect, test } from 'vitest';
import { changeLines, releaseChanges } from '../../../../scripts/releases/release-changes.ts';
import { missingImages } from '../../../../scripts/releases/release-images.ts';
import { isSecret, stackFileText } from '../../../../scripts/releases/stack-configuration.ts';
import { manifestOf, updateOf } from './sample-updates.ts';

const encryption = { encryptionsalt: 'v1:abc=:v1:def=' };

test('what a release brought is told in words, secrets by name only', () => {
  const before = updateOf(1, 'a', {
    config: {
      values: { 'conversation-kit:logLevel': 'info', 'conversation-kit:chatUpstreams': { secure: 'v1:one' } },
      encryption,
    },
  });
  const after = updateOf(2, 'b', {
    config: {
      values: { 'conversation-kit:httpsPort': '8443', 'conversation-kit:chatUpstreams': { secure: 'v1:two' } },
      encryption,
    },
    migrations: ['20260101000000_first', '20260201000000_second'],
  });
  const lines = changeLines(releaseChanges(before, after, ['Faster', 'Safer']));
  expect(lines).toEqual([
    'program: Faster; Safer',
    'configuration: chatUpstreams (secret); httpsPort: not set → 8443; logLevel: info → not set',
    'images: service',
    'migrations: 20260201000000_second',
  ]);
  expect(lines.join()).not.toContain('v1:');
});

test('a dirty tree is said, and nothing is where nothing changed', () => {
  const clean = updateOf(1, 'a');
  const { commit } = manifestOf('a').program;
  const dirty = updateOf(2, 'a', { manifest: manifestOf('a', { program: { commit, snapshot: 'f', clean: false } }) });
  expect(releaseChanges(clean, dirty, []).program).toEqual(['changes without a commit']);
  expect(releaseChanges(dirty, clean, []).program).toEqual(['without the changes that had no commit']);
  expect(changeLines(releaseChanges(clean, updateOf(3, 'a'), []))).toEqual([]);
});

test('images count by their id: one that is gone, has lost its name, or is another build is said', () => {
  const manifest = manifestOf('a');
  const reference = 'conversation-kit/service:a';
  expect(missingImages(manifest, [{ reference, id: 'sha256:a' }])).toEqual([]);
  expect(missingImages(manifest, [])[0]).toContain('is gone from the engine. Deploying its commit');
  expect(missingImages(manifest, [{ reference, id: 'sha256:b' }])[0]).toContain('is another build');
  expect(missingImages(manifest, [{ reference: '<none>:<none>', id: 'sha256:a' }])[0]).toContain(
    `docker tag sha256:a ${reference}`,
  );
});

test('a configuration becomes a stack file again, its secrets as they are', () => {
  const values = {
    'conversation-kit:logLevel': 'debug',
    'conversation-kit:chatUpstreams': { secure: 'v1:x' },
    'other:list': [{ secure: 'v1:y' }, 'plain'],
  };
  expect(stackFileText({ values, encryption })).toBe(
    'encryptionsalt: "v1:abc=:v1:def="\n' +
      'config:\n' +
      '  conversation-kit:chatUpstreams: {"secure":"v1:x"}\n' +
      '  conversation-kit:logLevel: "debug"\n' +
      '  other:list: [{"secure":"v1:y"},"plain"]\n',
  );
  expect(stackFileText({ values: {}, encryption: {} })).toBe('config: {}\n');
  expect(Object.entries(values).filter(([, value]) => isSecret(value))).toHaveLength(2);
});
