import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { bundleHeader, headerBytes } from '../../../../scripts/bundle/header.ts';
import type { Manifest, Part } from '../../../../scripts/bundle/manifest.ts';

const manifest: Manifest = {
  format: 1,
  version: '0.1.0',
  commit: 'c0ffee',
  stack: 'local',
  architecture: 'x64',
  glibc: '2.28',
  images: { source: 'local', list: [] },
  packages: undefined,
  parts: [],
};
const parts: Part[] = [
  { name: 'node.tar.gz', kind: 'tar.gz', offset: headerBytes, bytes: 7, unpacked: 20, sha256: 'aa' },
  { name: 'manifest.json', kind: 'file', offset: headerBytes + 7, bytes: 3, unpacked: 3, sha256: 'bb' },
];

test('the header fills its room, and its second line holds the digest of the lines behind it', () => {
  const header = bundleHeader('exit 0\n', manifest, parts);
  expect(header.byteLength).toBe(headerBytes);
  const [shebang, guard, ...rest] = header.toString().split('\n');
  expect(shebang).toBe('#!/bin/sh');
  expect(guard).toContain(createHash('sha256').update(rest.join('\n')).digest('hex'));
});

test('the header tells the installer about the parts and the machine that they are for', () => {
  const header = bundleHeader('exit 0\n', { ...manifest, stack: 'ryzen' }, parts).toString();
  expect(header).toContain(
    `parts='node.tar.gz ${headerBytes} 7 aa 20 tar.gz\nmanifest.json ${headerBytes + 7} 3 bb 3 file'`,
  );
  expect(header).toContain("machine='x86_64'");
  expect(header).toContain("stack=' -- --stack ryzen'");
  expect(header).toContain(`total='${headerBytes + 10}'`);
});

test('what would break out of the shell script, or does not fit, is refused', () => {
  expect(() => bundleHeader('', { ...manifest, stack: "x'; rm -r /" }, parts)).toThrow("can't be put");
  expect(() => bundleHeader('#'.repeat(headerBytes), manifest, parts)).toThrow('more than there is room for');
  expect(() => bundleHeader('', { ...manifest, architecture: 's390x' }, parts)).toThrow('s390x');
});
