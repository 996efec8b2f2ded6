import { describe, expect, it } from 'vitest';
import { readFacts } from '../../../../scripts/box/facts.ts';

const said = (changes: Record<string, string> = {}, keys: string[] = ['ssh-ed25519 AAAA me']) => {
  const lines = {
    id: 'debian',
    version: '12',
    name: 'Debian GNU/Linux 12 (bookworm)',
    login: 'admin',
    uid: '1000',
    connection: '192.168.1.5 50000 192.168.1.20 22',
    init: 'systemd',
    docker: '',
    ce: '',
    sudo: 'yes',
    ...changes,
  };
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}`);
  return [...text, ...keys.map((key) => `key=${key}`)].join('\n');
};

describe('what is known of a box', () => {
  it('is its system, who logged in, and from where', () => {
    expect(readFacts(said())).toEqual({
      distribution: 'Debian GNU/Linux 12 (bookworm)',
      enginePackages: ['docker.io'],
      timeService: undefined,
      login: 'admin',
      loginIsRoot: false,
      noRoot: undefined,
      client: '192.168.1.5',
      sshPort: 22,
      authorizedKeys: ['ssh-ed25519 AAAA me'],
    });
    expect(readFacts(said({ uid: '0', connection: 'fe80::1 5 fe80::2 2222' }))).toMatchObject({
      loginIsRoot: true,
      sshPort: 2222,
    });
  });

  it.each([
    ['ubuntu', '22.04'],
    ['ubuntu', '24.04'],
  ])('may be %s %s', (id, version) => {
    expect(readFacts(said({ id, version })).enginePackages).toEqual(['docker.io']);
  });

  it("takes Docker's own packages where their archive is configured", () => {
    const none = readFacts(said({ ce: '(none)' })).enginePackages;
    const own = readFacts(said({ ce: '5:28.0.1-1~debian.12~bookworm' })).enginePackages;
    expect([none, own]).toEqual([['docker.io'], ['docker-ce', 'docker-ce-cli', 'containerd.io']]);
  });

  it('leaves another time service in its place', () => {
    expect(readFacts(`${said()}\ntime=chrony`).timeService).toBe('chrony');
  });

  it.each([
    [{ id: 'fedora', version: '41', name: 'Fedora Linux 41' }, /runs Fedora Linux 41, and only Debian 12, Ubuntu/],
    [{ id: 'debian', version: '11', name: 'Debian GNU/Linux 11' }, /runs Debian GNU\/Linux 11, and only/],
    [{ init: 'openrc' }, /init system of the box is openrc/],
    [{ docker: '/snap/bin/docker' }, /as a snap.*\n.*snap remove/],
  ])('is refused when it is %o', (changes, words) => {
    expect(() => readFacts(said(changes))).toThrow(words);
  });

  it('says why nothing can be done as root', () => {
    expect(readFacts(said({ sudo: 'sudo: a password is required' })).noRoot).toBe('sudo: a password is required');
  });
});
