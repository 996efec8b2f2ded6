import { describe, expect, it } from 'vitest';
import { quoted, remoteLine, writeFile } from '../../../../scripts/box/box-command.ts';
import type { BoxFacts } from '../../../../scripts/box/facts.ts';
import type { Action, Answer, BoxStep, BoxWishes } from '../../../../scripts/box/step.ts';
import { deployUser, keyBody } from '../../../../scripts/box/steps/deploy-user.ts';
import { dockerEngine, engineConfiguration, mergedConfiguration } from '../../../../scripts/box/steps/docker-engine.ts';
import { firewall, firewallRules } from '../../../../scripts/box/steps/firewall.ts';
import { packages } from '../../../../scripts/box/steps/packages.ts';
import { securityUpdates } from '../../../../scripts/box/steps/security-updates.ts';
import { sshHardening } from '../../../../scripts/box/steps/ssh-hardening.ts';
import { timeSync } from '../../../../scripts/box/steps/time-sync.ts';

const facts: BoxFacts = {
  distribution: 'Debian GNU/Linux 12 (bookworm)',
  enginePackages: ['docker.io'],
  timeService: undefined,
  login: 'admin',
  loginIsRoot: false,
  noRoot: undefined,
  client: '192.168.1.5',
  sshPort: 22,
  authorizedKeys: ['ssh-ed25519 AAAA me'],
};
const wishes: BoxWishes = {
  deployUser: 'deploy',
  keys: ['ssh-ed25519 AAAA'],
  sshFrom: ['192.168.0.0/16', 'fc00::/7'],
  published: undefined,
};
const answer = (stdout: string): Answer => ({ exitCode: 0, stdout, stderr: '' });
const lineOf = (action: Action) => ('argv' in action ? remoteLine(action, false) : 'a new login');
const lines = (step: BoxStep, said = '') => step.apply(wishes, facts, answer(said)).map(lineOf);
const judge = (step: BoxStep, said: string) => step.judge(answer(said), wishes, facts);

describe('commands for a box', () => {
  it('are quoted for its shell, and run as root by sudo that never asks', () => {
    expect(remoteLine({ argv: ['echo', "it's", 'a b', '$HOME'], as: 'login' }, false)).toBe(
      `echo 'it'\\''s' 'a b' '$HOME'`,
    );
    expect(remoteLine({ argv: ['id'], as: 'root' }, false)).toBe('sudo -n -- id');
    expect(remoteLine({ argv: ['id'], as: 'root' }, true)).toBe('id');
    expect(quoted('')).toBe("''");
  });

  it('write a file in one go', () => {
    const { argv, input } = writeFile('/etc/a/b.conf', 'text\n');
    expect(argv).toEqual([
      'sh',
      '-ec',
      'install -d -m 755 /etc/a\ncat >/etc/a/b.conf.new\nchmod 644 /etc/a/b.conf.new\nsync /etc/a/b.conf.new\nmv /etc/a/b.conf.new /etc/a/b.conf',
    ]);
    expect(input).toBe('text\n');
  });
});

describe('packages', () => {
  it('are asked for, and the missing ones installed', () => {
    expect(remoteLine(packages.check(wishes, facts), false)).toBe(
      `dpkg-query --show --showformat '\${Package} \${db:Status-Status}\\n' docker.io iptables nftables unattended-upgrades systemd-timesyncd`,
    );
    expect(judge(packages, 'iptables installed\nnftables installed\ndocker.io config-files')).toEqual({
      inPlace: false,
      words: 'install docker.io, unattended-upgrades, systemd-timesyncd',
    });
    expect(lines(packages)).toEqual([
      'sudo -n -- dpkg --configure -a',
      'sudo -n -- env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 update',
      'sudo -n -- env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends docker.io iptables nftables unattended-upgrades systemd-timesyncd',
    ]);
  });
});

describe('the Docker engine', () => {
  it('runs, and starts with the box', () => {
    expect(judge(dockerEngine, 'enabled\nactive\n20.10.24').inPlace).toBe(true);
    expect(judge(dockerEngine, 'enabled\ninactive').inPlace).toBe(false);
    expect(lines(dockerEngine)).toEqual(['sudo -n -- systemctl enable --now containerd docker']);
  });

  it('gets its configuration merged into what is there', () => {
    expect(mergedConfiguration('')).toEqual({
      'log-driver': 'json-file',
      'log-opts': { 'max-size': '10m', 'max-file': '5' },
      'live-restore': true,
    });
    expect(
      mergedConfiguration('{"data-root":"/srv/docker","log-opts":{"max-size":"1m"},"live-restore":false}'),
    ).toEqual({
      'data-root': '/srv/docker',
      'log-driver': 'json-file',
      'log-opts': { 'max-size': '1m', 'max-file': '5' },
      'live-restore': true,
    });
  });

  it('keeps a log driver that somebody chose', () => {
    const given = { 'log-driver': 'journald', 'log-opts': { tag: 'x' } };
    expect(mergedConfiguration(JSON.stringify(given))).toEqual({ ...given, 'live-restore': true });
  });

  it('is not touched when its configuration is no JSON object', () => {
    expect(() => mergedConfiguration('{"a":')).toThrow(/no JSON object(.|\n)*sudo mv/);
    expect(() => mergedConfiguration('[]')).toThrow('no JSON object');
  });

  it('is in place only when it runs with it', () => {
    const written = JSON.stringify({ 'live-restore': true, ...mergedConfiguration('') });
    expect(judge(engineConfiguration, `live-restore true\n${written}`).inPlace).toBe(true);
    expect(judge(engineConfiguration, `live-restore false\n${written}`).inPlace).toBe(false);
    expect(judge(engineConfiguration, 'live-restore true').inPlace).toBe(false);
    expect(judge(engineConfiguration, '').inPlace).toBe(false);
    expect(judge(engineConfiguration, written).inPlace).toBe(false); // there is a file, and no engine yet
  });
});

describe('the firewall', () => {
  it('lets in SSH from the LAN, and of published ports nothing', () => {
    const rules = firewallRules(wishes, facts);
    expect(rules).toContain('type filter hook input priority -10; policy drop;');
    expect(rules).toContain('ip saddr { 192.168.0.0/16 } tcp dport 22 accept comment "SSH"');
    expect(rules).toContain('ip6 saddr { fc00::/7 } tcp dport 22 accept comment "SSH"');
    expect(rules).toMatch(/iifname "br-\*" accept\n {4}ct status dnat drop\n/);
    expect(rules).not.toContain('the stack');
  });

  it('lets in a stack that is served in the LAN, there and in the chain of published ports', () => {
    const rules = firewallRules({ ...wishes, published: { address: '192.168.1.20', ports: [80, 443] } }, facts);
    expect(rules).toContain('ip saddr { 192.168.0.0/16 } tcp dport { 80, 443 } accept');
    expect(rules).toContain('ip saddr { 192.168.0.0/16 } meta l4proto tcp ct original proto-dst { 80, 443 } accept');
  });

  it('is taken back by the box itself unless a new login works', () => {
    const commands = lines(firewall);
    const position = (part: string) => commands.findIndex((line) => line.includes(part));
    expect(commands[position('--check')]).toBe(
      'sudo -n -- nft --check --file /etc/conversation-kit/firewall.nft.wanted',
    );
    expect(position('systemd-run --collect --unit=conversation-kit-firewall-undo --on-active=60')).toBeLessThan(
      position('nft --file /etc/conversation-kit/firewall.nft.wanted'),
    );
    expect(position('a new login')).toBeLessThan(position('mv /etc/conversation-kit/firewall.nft.wanted '));
  });

  it('is in place only when these very rules are loaded, kept and loaded at the next start', () => {
    const rules = firewallRules(wishes, facts).trimEnd();
    expect(judge(firewall, `loaded\nenabled\n${rules}`)).toEqual({
      inPlace: true,
      words: 'nothing inbound but SSH (22) from 192.168.0.0/16, fc00::/7',
    });
    expect(judge(firewall, `enabled\n${rules}`).inPlace).toBe(false);
    expect(judge(firewall, `loaded\ndisabled\n${rules}`).inPlace).toBe(false);
    expect(judge(firewall, `loaded\nenabled\n${rules} # by hand`).inPlace).toBe(false);
  });

  it('refuses to lock out whoever asks for it', () => {
    expect(() => firewall.judge(answer(''), wishes, { ...facts, client: '203.0.113.9' })).toThrow(
      /You come from 203\.0\.113\.9(.|\n)*--ssh-from 203\.0\.113\.9\/32/,
    );
  });
});

describe('SSH', () => {
  const hard =
    'passwordauthentication no\nkbdinteractiveauthentication no\npermitrootlogin without-password\npermitemptypasswords no\nx11forwarding no';

  it('is by key only, whatever the file is that says otherwise', () => {
    expect(judge(sshHardening, `port 22\n${hard}`).inPlace).toBe(true);
    expect(judge(sshHardening, hard.replace('passwordauthentication no', 'passwordauthentication yes'))).toEqual({
      inPlace: false,
      words: 'keys only, no passwords (passwordauthentication)',
    });
  });

  it('is hardened between two logins that worked, and taken back otherwise', () => {
    const commands = lines(sshHardening);
    expect(commands[0]).toBe('a new login');
    expect(commands.indexOf('sudo -n -- sshd -t')).toBeGreaterThan(0);
    expect(commands.slice(-2)).toEqual(['a new login', 'sudo -n -- systemctl stop conversation-kit-ssh-undo.timer']);
  });
});

describe('the user that deploys', () => {
  const there = 'groups=deploy docker\npassword=L\nshell=/bin/bash\nsudo=\nkey=ssh-ed25519 AAAA somebody@somewhere';

  it('is made in the group docker, with a key and no password', () => {
    expect(judge(deployUser, '').words).toBe('make deploy: in the group docker, your key, no password, no sudo');
    const [make, authorise] = deployUser.apply(wishes, facts, answer(''));
    expect(make && lineOf(make)).toBe(
      "sudo -n -- sh -ec 'useradd --create-home --shell /bin/bash --groups docker deploy'",
    );
    expect(authorise).toMatchObject({ input: 'ssh-ed25519 AAAA\n' });
  });

  it('is mended where it is there', () => {
    expect(judge(deployUser, there).inPlace).toBe(true);
    expect(judge(deployUser, there.replace('password=L', 'password=P')).words).toBe('deploy: lock its password');
    expect(judge(deployUser, there.replace('deploy docker', 'deploy')).words).toContain('group docker');
    expect(judge(deployUser, there.replace('AAAA', 'BBBB')).words).toBe('deploy: authorise your key');
  });

  it('must not be somebody who may become root', () => {
    expect(() => judge(deployUser, there.replace('sudo=', 'sudo=(ALL) NOPASSWD: ALL'))).toThrow(
      /deploy may become root by sudo(.|\n)*dockerHost/,
    );
  });

  it('has keys that are compared without their comments and options', () => {
    expect(keyBody('from="10.0.0.0/8" ssh-ed25519 AAAAC3x= me@here')).toBe('ssh-ed25519 AAAAC3x=');
  });
});

it('installs security updates every day', () => {
  const on = 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";';
  expect(judge(securityUpdates, `${on}\nenabled\nenabled`).inPlace).toBe(true);
  expect(judge(securityUpdates, `${on}\nenabled\ndisabled`).inPlace).toBe(false);
  expect(judge(securityUpdates, 'enabled\nenabled').inPlace).toBe(false);
  expect(lines(securityUpdates).at(-1)).toBe(
    'sudo -n -- systemctl enable --now apt-daily.timer apt-daily-upgrade.timer',
  );
});

it('has the time kept, by what is there already', () => {
  expect(lines(timeSync)).toEqual(['sudo -n -- systemctl enable --now systemd-timesyncd']);
  const chrony = { ...facts, timeService: 'chrony' };
  expect(timeSync.judge(answer('enabled'), wishes, chrony)).toEqual({ inPlace: true, words: 'kept by chrony' });
  expect(remoteLine(packages.check(wishes, chrony), false)).not.toContain('timesyncd');
});
