import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { meantBox, publicKeys } from '../../../../scripts/box/wishes.ts';
import { isNetwork, isWithin, privateNetworks } from '../../../../ssh/networks.ts';

describe('which box is meant', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'wishes-'));
    const config = (lines: string[]) => `config:\n${lines.map((line) => `  conversation-kit:${line}\n`).join('')}`;
    writeFileSync(join(root, 'Pulumi.optiplex.yaml'), config(['dockerHost: ssh://deploy@box:2222']));
    writeFileSync(
      join(root, 'Pulumi.lan.yaml'),
      config(['dockerHost: ssh://box', 'bindAddress: 192.168.1.20', 'httpsPort: "8443"', 'images: local']),
    );
    writeFileSync(join(root, 'Pulumi.ryzen.yaml'), config(['profile: ryzen']));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  it('is that of a stack, to which somebody else than the deploy user logs in', () => {
    expect(meantBox(root, 'optiplex', undefined)).toEqual({
      target: { host: 'box', user: undefined, port: '2222' },
      deployUser: 'deploy',
      published: undefined,
      localImages: false,
    });
    expect(meantBox(root, 'lan', 'root')).toEqual({
      target: { host: 'box', user: 'root', port: undefined },
      deployUser: 'deploy',
      published: { address: '192.168.1.20', ports: [80, 8443] },
      localImages: true,
    });
  });

  it('may be named by hand', () => {
    expect(meantBox(root, 'me@box', undefined)).toMatchObject({
      target: { host: 'box', user: 'me' },
      deployUser: 'deploy',
    });
  });

  it.each(['ryzen', 'nothing'])('is not %s', (where) => {
    expect(() => meantBox(root, where, undefined)).toThrow(/neither user@host nor a stack on a box over SSH/);
  });
});

describe('the file of a key', () => {
  const key = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5${'A'.repeat(48)} me@desk`;
  it('may have several public keys', () => {
    expect(publicKeys('k.pub', `# mine\n${key}\n\n${key} too\n`)).toEqual([key, `${key} too`]);
  });
  it.each([
    [
      'a private key',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n',
      'is a private key, which stays here',
    ],
    ['another file', 'root:x:0:0:root:/root:/bin/bash\n', 'is no public key'],
    ['a key and something else', `${key}\nsomething else\n`, 'is no public key'],
    ['nothing', '\n', 'is no public key'],
  ])('is not %s', (_, text, why) => {
    expect(() => publicKeys('k', text)).toThrow(why);
  });
});

it('knows what lies in the LAN', () => {
  const isPrivate = (address: string) => privateNetworks.some((network) => isWithin(address, network));
  expect(
    ['10.1.2.3', '192.168.1.5', '172.31.0.1', '::ffff:192.168.1.5', 'fe80::1%eth0'].filter(isPrivate),
  ).toHaveLength(5);
  expect(['8.8.8.8', '172.32.0.1', '2001:db8::1', ''].filter(isPrivate)).toEqual([]);
  expect(['10.0.0.0/8', 'fd00::/8'].every(isNetwork)).toBe(true);
  expect(['10.0.0.0', '10.0.0.0/33', 'lan/8'].some(isNetwork)).toBe(false);
});
