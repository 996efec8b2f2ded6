import { describe, expect, it } from 'vitest';
import { containerInputs } from '../../../../infra/providers/docker/container/inputs.ts';
import { createRequest, networkRequests, updateRequest } from '../../../../infra/providers/docker/container/request.ts';
import { uploadRequest } from '../../../../infra/providers/docker/container/uploads.ts';

const inputs = (given: object) => containerInputs.parse({ name: 'c', image: 'i', ...given });

describe('the request for a container', () => {
  it('is bare for a bare container', () => {
    expect(createRequest(inputs({}))).toEqual({
      name: 'c',
      Image: 'i',
      Hostname: '',
      Domainname: '',
      Tty: false,
      OpenStdin: false,
      Labels: {},
      HostConfig: {
        Init: false,
        Privileged: false,
        PublishAllPorts: false,
        AutoRemove: false,
        ReadonlyRootfs: false,
        NetworkMode: 'bridge',
        Runtime: '',
        LogConfig: { Type: '', Config: {} },
        PortBindings: {},
        RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
        BlkioDeviceReadBps: [],
        BlkioDeviceReadIOps: [],
        BlkioDeviceWriteBps: [],
        BlkioDeviceWriteIOps: [],
      },
    });
  });

  it("says all of a hardened container in the engine's words and units", () => {
    const request = createRequest(
      inputs({
        user: '10001:10001',
        workingDir: '/srv',
        hostname: 'h',
        entrypoints: ['/e'],
        command: ['a', 'b'],
        envs: ['A=1'],
        stopSignal: 'SIGINT',
        stopTimeout: 10,
        readOnly: true,
        init: true,
        restart: 'on-failure',
        maxRetryCount: 3,
        memory: 256,
        memoryReservation: 128,
        memorySwap: 512,
        cpus: '1.5',
        cpuShares: 512,
        cpuSet: '0-1',
        shmSize: 32,
        capabilities: { adds: ['CHOWN'], drops: ['ALL'] },
        securityOpts: ['no-new-privileges:true', 'systempaths=unconfined'],
        labels: [{ label: 'a.b', value: 'c' }],
        logDriver: 'json-file',
        logOpts: { 'max-size': '10m' },
        tmpfs: { '/tmp': 'size=64m' },
        sysctls: { 'net.core.somaxconn': '512' },
        hosts: [{ host: 'db', ip: '10.0.0.1' }],
        dns: ['1.1.1.1'],
        groupAdds: ['20'],
        pidMode: 'host',
        ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
        devices: [{ hostPath: '/dev/null' }],
        healthcheck: { tests: ['CMD', 't'], interval: '1m30s', timeout: '5s', startPeriod: '500ms', retries: 3 },
      }),
    );
    expect(request).toMatchObject({
      User: '10001:10001',
      WorkingDir: '/srv',
      Hostname: 'h',
      Entrypoint: ['/e'],
      Cmd: ['a', 'b'],
      Env: ['A=1'],
      StopSignal: 'SIGINT',
      StopTimeout: 10,
      Labels: { 'a.b': 'c' },
      Healthcheck: { Test: ['CMD', 't'], Interval: 90e9, Timeout: 5e9, StartPeriod: 0.5e9, Retries: 3 },
    });
    expect(request.HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      Init: true,
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      Memory: 268_435_456,
      MemoryReservation: 134_217_728,
      MemorySwap: 536_870_912,
      NanoCpus: 1_500_000_000,
      CpuShares: 512,
      CpusetCpus: '0-1',
      ShmSize: 33_554_432,
      CapAdd: ['CHOWN'],
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      MaskedPaths: [],
      ReadonlyPaths: [],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m' } },
      Tmpfs: { '/tmp': 'size=64m' },
      Sysctls: { 'net.core.somaxconn': '512' },
      ExtraHosts: ['db:10.0.0.1'],
      Dns: ['1.1.1.1'],
      GroupAdd: ['20'],
      PidMode: 'host',
      Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
      Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/null', CgroupPermissions: 'rwm' }],
    });
  });

  it('publishes one port at several addresses, and leaves a free choice to the engine', () => {
    const { ExposedPorts, HostConfig } = createRequest(
      inputs({
        ports: [
          { internal: 80, external: 8080, ip: '127.0.0.1' },
          { internal: 80, external: 8080, ip: '::1' },
          { internal: 53, protocol: 'udp' },
        ],
      }),
    );
    expect(ExposedPorts).toEqual({ '80/tcp': {}, '53/udp': {} });
    expect(HostConfig?.PortBindings).toEqual({
      '80/tcp': [
        { HostIp: '127.0.0.1', HostPort: '8080' },
        { HostIp: '::1', HostPort: '8080' },
      ],
      '53/udp': [{ HostIp: '0.0.0.0', HostPort: '' }],
    });
  });

  it('mounts volumes, paths of the engine, and those of other containers', () => {
    const { Volumes, HostConfig } = createRequest(
      inputs({
        volumes: [
          { volumeName: 'v', containerPath: '/v' },
          { hostPath: '/h', volumeName: 'ignored', containerPath: '/h', readOnly: true, selinuxRelabel: 'z' },
          { containerPath: '/anonymous' },
          { fromContainer: 'other' },
        ],
        mounts: [
          { type: 'tmpfs', target: '/t', tmpfsOptions: { sizeBytes: 1024, mode: 0o1777 } },
          { type: 'volume', target: '/w', source: 'w', volumeOptions: { noCopy: true } },
          { type: 'bind', target: '/b', source: '/b', readOnly: true, bindOptions: { propagation: 'rslave' } },
        ],
      }),
    );
    expect(Volumes).toEqual({ '/v': {}, '/h': {}, '/anonymous': {} });
    expect(HostConfig).toMatchObject({
      Binds: ['v:/v:rw', '/h:/h:ro,z'],
      VolumesFrom: ['other'],
      Mounts: [
        { Type: 'tmpfs', Target: '/t', Source: '', ReadOnly: false, TmpfsOptions: { SizeBytes: 1024, Mode: 0o1777 } },
        { Type: 'volume', Target: '/w', Source: 'w', VolumeOptions: { NoCopy: true, Labels: {} } },
        { Type: 'bind', Target: '/b', Source: '/b', ReadOnly: true, BindOptions: { Propagation: 'rslave' } },
      ],
    });
  });

  it('connects networks with their names and addresses', () => {
    expect(
      networkRequests(
        inputs({ networksAdvanced: [{ name: 'n', aliases: ['a'], ipv4Address: '10.0.0.9', driverOpts: ['a=b=c'] }] }),
      ),
    ).toEqual([
      { network: 'n', endpoint: { Aliases: ['a'], IPAMConfig: { IPv4Address: '10.0.0.9' }, DriverOpts: { a: 'b=c' } } },
    ]);
  });
});

it('asks the engine to change in place what it can change, and nothing else', () => {
  expect(updateRequest(inputs({ memory: 64, memorySwap: -1, restart: 'always', cpus: '1', shmSize: 1 }))).toEqual({
    Memory: 67_108_864,
    MemorySwap: -1,
    RestartPolicy: { Name: 'always', MaximumRetryCount: 0 },
  });
});

describe('an uploaded file', () => {
  const upload = { file: '/run/secrets/deep/a', content: 'x' };

  it('goes in from the root, where the engine makes missing directories', () => {
    expect(uploadRequest(upload, inputs({}))).toEqual({
      directory: '/',
      name: 'run/secrets/deep/a',
      mode: 0o644,
      uid: 0,
      gid: 0,
    });
  });

  it('goes into the deepest volume when the root file system is read-only', () => {
    const volumes = [
      { volumeName: 'r', containerPath: '/run' },
      { volumeName: 's', containerPath: '/run/secrets' },
      { volumeName: 'o', containerPath: '/run/secrets-of-others' },
    ];
    expect(uploadRequest(upload, inputs({ readOnly: true, volumes }))).toMatchObject({
      directory: '/run/secrets',
      name: 'deep/a',
    });
  });

  it('has the permissions and the owner that it is given', () => {
    const given = { ...upload, permissions: '0440', executable: true, owner: '10001', group: '20' };
    expect(uploadRequest(given, inputs({}))).toMatchObject({ mode: 0o440, uid: 10_001, gid: 20 });
    expect(uploadRequest({ ...upload, executable: true }, inputs({}))).toMatchObject({ mode: 0o744 });
  });
});
