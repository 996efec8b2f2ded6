import { describe, expect, test } from 'vitest';
import { tarCommand } from '../../../../scripts/bundle/archive.ts';
import { packageStanza } from '../../../../scripts/bundle/debian-packages.ts';
import { glibcVersions, newest } from '../../../../scripts/bundle/glibc.ts';
import { imageConfig } from '../../../../scripts/bundle/images.ts';
import { uncommitted } from '../../../../scripts/bundle/program.ts';
import { distribution } from '../../../../scripts/setup/apt.mjs';

test('an archive knows no clock, account, order or umask of the machine that made it', () => {
  const contents = [
    { folder: '/kit', paths: ['.kit/toolchain/node-1'] },
    { folder: '/made', paths: ['.kit'] },
  ];
  expect(tarCommand(contents, ['node_modules/.cache']).join(' ')).toBe(
    'tar --create --format=gnu --sort=name --mtime=@946684800 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX ' +
      '--hard-dereference --anchored --no-wildcards --exclude=node_modules/.cache ' +
      '-C /kit .kit/toolchain/node-1 -C /made .kit',
  );
});

test('what is not committed counts, but for the configuration of stacks', () => {
  const status =
    ' M Caddyfile\0?? hooks/mine\0R  new.ts\0old.ts\0 M Pulumi.ryzen.yaml\0?? Pulumi.prod.yaml\0 M Pulumi.yaml\0';
  expect(uncommitted(status)).toEqual(['Caddyfile', 'hooks/mine', 'new.ts', 'Pulumi.yaml']);
  expect(uncommitted('')).toEqual([]);
});

describe('where the images of a stack come from', () => {
  const nothing = () => undefined;
  test('its configuration says', () => {
    const values: Record<string, string> = { images: 'registry', supabase: 'hosted', databaseUrl: 'secret' };
    expect(imageConfig((key) => values[key], 'local', 'local')).toEqual({ images: 'registry', supabase: 'hosted' });
  });
  test('or, for local, what set-up has found', () => {
    expect(imageConfig(nothing, 'local', 'local')).toEqual({ images: 'local' });
    expect(imageConfig(nothing, 'ryzen', 'local')).toEqual({});
    expect(imageConfig(nothing, 'local', undefined)).toEqual({});
  });
});

test('the oldest glibc that will do is the newest that a program asks for', () => {
  const program = Buffer.from('\0GLIBC_2.4\0GLIBC_2.28\0GLIBCXX_3.4\0GLIBC_2.17\0GLIBC_PRIVATE\0');
  expect(newest(glibcVersions(program))).toBe('2.28');
});

test('the archive of packages says of each what it is and where its file lies', () => {
  const file = { name: 'git_1-3a2.39_amd64.deb', bytes: 7, sha256: 'aa' };
  expect(packageStanza('Package: git\nVersion: 1:2.39\n\n', file)).toBe(
    'Package: git\nVersion: 1:2.39\nFilename: ./git_1-3a2.39_amd64.deb\nSize: 7\nSHA256: aa\n',
  );
});

test('packages are for one release of one distribution', () => {
  expect(distribution('PRETTY_NAME="Debian"\nVERSION_CODENAME=bookworm\nID=debian\n')).toBe('debian bookworm');
  expect(distribution('ID="ubuntu"\nVERSION_CODENAME="noble"\n')).toBe('ubuntu noble');
  expect(distribution('ID=arch\n')).toBe('arch unknown');
});
