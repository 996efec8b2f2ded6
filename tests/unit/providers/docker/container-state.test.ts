import { describe, expect, it } from 'vitest';
import { containerInputs } from '../../../../infra/providers/docker/container/inputs.ts';
import { inspected } from '../../../../infra/providers/docker/container/inspection.ts';
import { containerOutputs } from '../../../../infra/providers/docker/container/outputs.ts';

/** As little as an engine may say: lists that are null, and what newer engines leave out. */
const description = {
  Id: 'c0ffee',
  Name: '/box',
  Image: `sha256:${'1'.repeat(64)}`,
  State: { Status: 'running', Running: true, ExitCode: 0 },
  Config: {
    Image: 'app:v1',
    Hostname: 'c0ffee',
    User: '',
    Tty: false,
    OpenStdin: false,
    WorkingDir: '/srv',
    Cmd: null,
    Entrypoint: ['/entry'],
    Labels: null,
    Healthcheck: { Test: ['CMD', 'x'], Interval: 90e9, Retries: 3 },
  },
  HostConfig: {
    AutoRemove: false,
    Privileged: false,
    PublishAllPorts: false,
    ReadonlyRootfs: true,
    NetworkMode: 'bridge',
    IpcMode: 'private',
    Runtime: 'runc',
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    LogConfig: { Type: 'json-file', Config: {} },
    PortBindings: { '53/udp': [{ HostIp: '', HostPort: '53' }], '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] },
    CapAdd: null,
    CapDrop: ['ALL'],
    Memory: 268_435_456,
    MemorySwap: -1,
    ShmSize: 67_108_864,
    NanoCpus: 1_500_000_000,
    ExtraHosts: ['six:fe80::1'],
    Mounts: null,
  },
  NetworkSettings: {
    Ports: {
      '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }],
      '53/udp': [{ HostIp: '0.0.0.0', HostPort: '53' }],
      '9/tcp': null,
    },
    Networks: { net: { IPAddress: '10.0.0.2', IPPrefixLen: 24, Gateway: '10.0.0.1', MacAddress: '02:42:0a:00:00:02' } },
  },
};

const outputs = (given: object, changes: object = {}) =>
  containerOutputs(
    inspected.parse({ ...description, ...changes }),
    containerInputs.parse({ name: 'box', image: 'app:v1', ...given }),
  );

describe('the state of a container', () => {
  it("has the official plugin's names, units and spellings", () => {
    expect(outputs({ ports: [{ internal: 80 }], volumes: [{ volumeName: 'v', containerPath: '/v' }] })).toEqual({
      id: 'c0ffee',
      name: 'box',
      image: 'app:v1',
      attach: false,
      bridge: '',
      capabilities: { adds: [], drops: ['ALL'] },
      command: [],
      containerReadRefreshTimeoutMilliseconds: 15_000,
      cpuSet: '',
      cpuShares: 0,
      cpus: '1.5',
      deviceReadBps: [],
      deviceReadIops: [],
      deviceWriteBps: [],
      deviceWriteIops: [],
      dns: [],
      dnsOpts: [],
      dnsSearches: [],
      domainname: '',
      entrypoints: ['/entry'],
      envs: [],
      groupAdds: [],
      healthcheck: {
        tests: ['CMD', 'x'],
        interval: '1m30s',
        timeout: '0s',
        startPeriod: '0s',
        startInterval: '0s',
        retries: 3,
      },
      hostname: 'c0ffee',
      hosts: [{ host: 'six', ip: 'fe80::1' }],
      init: false,
      ipcMode: 'private',
      labels: [],
      logDriver: 'json-file',
      logs: false,
      maxRetryCount: 0,
      memory: 256,
      memoryReservation: 0,
      memorySwap: -1,
      mounts: [],
      mustRun: true,
      networkDatas: [
        {
          networkName: 'net',
          ipAddress: '10.0.0.2',
          ipPrefixLength: 24,
          gateway: '10.0.0.1',
          globalIpv6Address: '',
          globalIpv6PrefixLength: 0,
          ipv6Gateway: '',
          macAddress: '02:42:0a:00:00:02',
        },
      ],
      networkMode: 'bridge',
      ports: [
        { internal: 53, external: 53, ip: '0.0.0.0', protocol: 'udp' },
        { internal: 80, external: 8080, ip: '127.0.0.1', protocol: 'tcp' },
      ],
      privileged: false,
      publishAllPorts: false,
      readOnly: true,
      removeVolumes: true,
      restart: 'no',
      rm: false,
      runtime: 'runc',
      securityOpts: [],
      shmSize: 64,
      start: true,
      stdinOpen: false,
      stopSignal: '',
      stopTimeout: 0,
      storageOpts: {},
      sysctls: {},
      tmpfs: {},
      tty: false,
      user: '',
      usernsMode: '',
      volumes: [{ volumeName: 'v', containerPath: '/v' }],
      wait: false,
      waitTimeout: 60,
      workingDir: '/srv',
    });
  });

  it('names the image by its id where the program did', () => {
    expect(outputs({ image: `sha256:${'2'.repeat(64)}` }).image).toBe(description.Image);
  });

  it('has the ports of a stopped container that it will have again', () => {
    const stopped = {
      State: { Status: 'exited', Running: false, ExitCode: 3 },
      NetworkSettings: { Ports: {}, Networks: null },
    };
    expect(outputs({ ports: [{ internal: 80 }] }, stopped)).toMatchObject({
      mustRun: false,
      exitCode: 3,
      networkDatas: [],
      ports: [
        { internal: 53, external: 53, ip: '0.0.0.0', protocol: 'udp' },
        { internal: 80, external: 8080, ip: '127.0.0.1', protocol: 'tcp' },
      ],
    });
  });

  it('leaves out what the official plugin reads only when it was asked for', () => {
    const bare = outputs({});
    expect(['ports', 'ulimits', 'logOpts', 'pidMode'].filter((name) => name in bare)).toEqual([]);
  });
});
