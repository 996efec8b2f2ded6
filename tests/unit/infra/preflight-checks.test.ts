import { describe, expect, it } from 'vitest';
import { parseLook } from '../../../infra/preflight/box.ts';
import {
  addressCheck,
  clockCheck,
  diskCheck,
  imageCheck,
  memoryCheck,
  portCheck,
} from '../../../infra/preflight/checks.ts';

describe('what stands in the way of an update', () => {
  it('is a nearly full disk', () => {
    expect(diskCheck({ disk: { directory: '/var/lib/docker', free: 2048 } }).problems).toEqual([]);
    expect(diskCheck({ disk: { directory: '/var/lib/docker', free: 2047 } }).problems).toEqual([
      expect.stringMatching(/\/var\/lib\/docker has 2047 MiB free and 2048 MiB are needed/),
    ]);
    expect(diskCheck({ disk: { directory: '/var/lib/docker', free: undefined } }).problems).toEqual([]);
  });

  it('is less memory than the stack may take, with the sum', () => {
    const budget = {
      lines: [
        { what: 'redis', memory: 640 },
        { what: 'second service during a release', memory: 512 },
      ],
      sum: 1152,
    };
    expect(memoryCheck({ memory: 1152 }, budget).problems).toEqual([]);
    expect(memoryCheck({ memory: 1151 }, budget).problems).toEqual([
      expect.stringContaining('640 redis + 512 second service during a release = 1152 MiB'),
    ]);
  });

  it('is a clock that is more than ten seconds off, as far as can be told', () => {
    expect(clockCheck({ clock: { ahead: -0.4, uncertainty: 0.1 } })).toMatchObject({ found: 'as here', problems: [] });
    expect(clockCheck({ clock: { ahead: 12, uncertainty: 3 } }).problems).toEqual([]);
    expect(clockCheck({ clock: { ahead: -90, uncertainty: 0.5 } }).problems).toEqual([
      expect.stringContaining('90 s behind the one of this machine'),
    ]);
  });

  it('is a port that somebody else has, and none of the stack’s own', () => {
    const box = {
      publishedPorts: [
        { port: 80, container: 'other', namespace: undefined },
        { port: 443, container: 'kit-caddy', namespace: 'kit' },
      ],
      listeners: new Map([
        [443, { process: undefined }],
        [8081, { process: { pid: 7, name: 'nginx' } }],
      ]),
    };
    const ports = [
      { key: 'httpPort', port: 80 },
      { key: 'httpsPort', port: 443 },
      { key: 'redisCommanderPort', port: 8081 },
      { key: 'postgresPort', port: 5432 },
    ];
    expect(portCheck(box, { stack: 'ryzen', namespace: 'kit', ports }).problems).toEqual([
      expect.stringMatching(/^port 80 is taken by container other: .*config set httpPort <port> -s ryzen/),
      expect.stringMatching(/^port 8081 is taken by nginx \(process 7\)/),
    ]);
  });

  it('is an address that the box does not have', () => {
    const check = (bindAddress: string, addresses: ReadonlySet<string> | undefined = new Set(['10.0.0.5'])) =>
      addressCheck({ addresses }, { stack: 'optiplex', bindAddress }).problems;
    expect(check('10.0.0.6')).toEqual([
      expect.stringMatching(/no address of the box, which has 10\.0\.0\.5: .* -s optiplex/),
    ]);
    for (const fine of ['10.0.0.5', '127.0.0.1', '::1', '0.0.0.0']) expect(check(fine)).toEqual([]);
    expect(addressCheck({ addresses: undefined }, { stack: 'optiplex', bindAddress: '10.0.0.6' }).problems).toEqual([]);
  });

  it('is a base image that can’t be pulled, where something has to be built from it', () => {
    const wanted = [
      { reference: 'kit/a:1', base: 'base:1' },
      { reference: 'kit/b:1', base: 'base:1' },
    ];
    const check = (source: 'local' | 'registry', ...images: string[]) =>
      imageCheck({ images: new Set(images) }, { stack: 'ryzen', dockerHost: undefined, source, wanted });
    const elsewhere = { stack: 'optiplex', dockerHost: 'ssh://box', source: 'local' as const, wanted };
    expect(imageCheck({ images: new Set() }, elsewhere).problems).toEqual([
      expect.stringContaining('npm run box -- prepare optiplex'),
    ]);
    expect(check('local', 'kit/a:1').problems).toEqual([expect.stringContaining('lacks the base image base:1')]);
    expect(check('local', 'kit/a:1', 'kit/b:1')).toEqual({ name: 'images', found: '2 there', problems: [] });
    expect(check('local', 'base:1').found).toBe('0 there, 2 to build');
    expect(check('registry')).toEqual({ name: 'images', found: '0 there, 2 to build, 1 to pull first', problems: [] });
  });
});

it('reads what another machine says of its disk and ports', () => {
  const look = parseLook(`Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/nvme0n1p2   102400000 51200000  46080000      53% /
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1
   1: 0100007F:C350 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 12346 1
addresses: 192.168.1.20 fd00::20
`);
  expect(look).toEqual({
    free: 45_000,
    listeners: new Map([[80, { process: undefined }]]),
    addresses: new Set(['192.168.1.20', 'fd00::20']),
  });
});
