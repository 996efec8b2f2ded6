import { describe, expect, test } from 'vitest';
import { distributionOf, distributionSources, suitesOf } from '../../../images/base/apt-sources.ts';

const bookworm = { codenames: ['bookworm'] };
const kept = (name: string, text: string, distribution = bookworm) =>
  distributionSources([{ name, text }], distribution).map((file) => file.text)[0] ?? '';

describe('the package sources of the distribution', () => {
  test('are the lines of its release with updates and security updates', () => {
    const text = [
      'deb http://mirror.example/debian bookworm main contrib non-free-firmware # the release',
      'deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian-security/ bookworm-security main',
      'deb http://mirror.example/debian bookworm-updates main',
      'deb http://mirror.example/debian bookworm-backports main',
      'deb-src http://mirror.example/debian bookworm main',
      '# deb http://mirror.example/debian bookworm main',
      '',
    ].join('\n');
    expect(kept('sources.list', text)).toBe(
      [
        'deb http://mirror.example/debian bookworm main',
        'deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian-security/ bookworm-security main',
        'deb http://mirror.example/debian bookworm-updates main',
        '',
      ].join('\n'),
    );
  });

  test('are the stanzas of its release, with the keys that they name', () => {
    const text = [
      '# Written by an installer',
      'Types: deb deb-src',
      'URIs: http://mirror.example/debian',
      'Suites: bookworm bookworm-updates bookworm-backports',
      'Components: main contrib',
      'Signed-By:',
      ' -----BEGIN PGP PUBLIC KEY BLOCK-----',
      ' .',
      ' mQINBGPL',
      ' -----END PGP PUBLIC KEY BLOCK-----',
      '',
      'Types: deb',
      'URIs: http://mirror.example/debian-security',
      'Suites: bookworm-security',
      'Components: main',
      'Enabled: no',
    ].join('\n');
    expect(kept('debian.sources', text)).toBe(
      [
        'types: deb',
        'uris: http://mirror.example/debian',
        'suites: bookworm bookworm-updates',
        'components: main',
        'signed-by: ',
        ' -----BEGIN PGP PUBLIC KEY BLOCK-----',
        ' .',
        ' mQINBGPL',
        ' -----END PGP PUBLIC KEY BLOCK-----',
        '',
      ].join('\n'),
    );
  });

  test.each([
    ['https://download.docker.example/linux/debian bookworm stable'],
    ['https://apt.vendor.example bookworm main'],
    ['https://debian.vendor.example/apt bookworm main'],
    ['https://deb.vendor.example/node_20.x nodistro main'],
    ['http://apt.example/pub/repos/apt bookworm-pgdg main'],
    ['cdrom:[Debian/bookworm]/debian bookworm main'],
    ['http://mirror.example/debian trixie main'],
  ])('do not include %s', (entry) => {
    expect(kept('vendor.list', `deb ${entry}\n`)).toBe('');
  });

  test.each([
    ['http://ports.example/ubuntu-ports noble main universe restricted', 'main universe'],
    ['mirror+file:/etc/apt/mirrors/ubuntu.list noble-security universe', 'universe'],
    ['http://mirror.example/pub/ubuntu/ noble-updates main', 'main'],
  ])('include %s', (entry, components) => {
    const [uri, suite] = entry.split(' ');
    expect(kept('sources.list', `deb ${entry}\n`, { codenames: ['noble'] })).toBe(
      `deb ${uri} ${suite} ${components}\n`,
    );
  });

  test('are of the release that a derivative builds on', () => {
    const release = 'ID=linuxmint\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n';
    expect(distributionOf(release)).toEqual({ codenames: ['wilma', 'noble'] });
    expect(distributionOf('ID=debian\nVERSION_CODENAME="bookworm"\n')).toEqual({ codenames: ['bookworm'] });
    expect(distributionOf('ID=arch\n')).toEqual({ codenames: [] });
  });

  test('are said by their suites, each once', () => {
    const files = [
      { name: 'a.list', text: 'deb http://m.example/debian bookworm main\n' },
      { name: 'b.sources', text: 'suites: bookworm bookworm-updates\nuris: http://m.example/debian\n' },
    ];
    expect(suitesOf(files)).toEqual(['bookworm', 'bookworm-updates']);
  });
});
