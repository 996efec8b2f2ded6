import { expect, it } from 'vitest';
import { composeFile, type Inspected } from '../../../benchmarks/deploy/compose-file.ts';

const container = (role: string, more: Partial<Inspected['Config']> = {}): Inspected => ({
  Name: `/ck-${role}`,
  Config: {
    Image: `conversation-kit/${role}:1`,
    User: '10001:10001',
    Env: ['PORT=8079', 'LINK=a=b', 'PRICE=5$'],
    Labels: { 'conversation-kit.stack': 'ck', 'conversation-kit.role': role },
    StopTimeout: 30,
    ...more,
  },
  HostConfig: {
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges:true'],
    Init: true,
    Memory: 512 << 20,
    MemorySwap: 512 << 20,
    NanoCpus: 1e9,
    Tmpfs: { '/tmp': 'rw,size=64m' },
    PortBindings: role === 'caddy' ? { '443/tcp': [{ HostIp: '127.0.0.1', HostPort: '8443' }] } : null,
    RestartPolicy: { Name: 'unless-stopped' },
    LogConfig: { Type: 'json-file', Config: { 'max-file': '3' } },
  },
  Mounts: [
    { Type: 'volume', Name: `ck-${role}-data`, Destination: '/data' },
    { Type: 'bind', Destination: '/etc/hosts' },
  ],
  NetworkSettings: { Networks: { ck: { Aliases: [role, 'a1b2c3'] } } },
});

const written = (environment = {}) =>
  JSON.parse(composeFile('ck-compose', [container('redis'), container('service'), container('caddy')], environment));

it('has the same containers: image, limits, hardening, volumes, names in the network, ports', () => {
  const { name, services, volumes, networks } = written();
  expect(name).toBe('ck-compose');
  expect(services.caddy).toMatchObject({
    image: 'conversation-kit/caddy:1',
    container_name: 'ck-compose-caddy',
    user: '10001:10001',
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    init: true,
    mem_limit: 512 << 20,
    memswap_limit: 512 << 20,
    cpus: 1,
    tmpfs: ['/tmp:rw,size=64m'],
    volumes: ['ck-caddy-data:/data'],
    networks: { default: { aliases: ['caddy', 'a1b2c3'] } },
    ports: ['127.0.0.1:8443:443/tcp'],
    restart: 'unless-stopped',
    stop_grace_period: '30s',
  });
  expect(volumes['ck-caddy-data']).toEqual({ name: 'ck-caddy-data', external: true });
  expect(networks.default.labels).toEqual({ 'conversation-kit.stack': 'ck' });
});

it('waits for those that are there only', () => {
  const { services } = written();
  expect(services.service.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
  expect(services.caddy.depends_on).toEqual({});
});

it('changes the service alone, and keeps values as they are', () => {
  const { services } = written({ PORT: '1' });
  expect(services.service.environment).toEqual({ PORT: '1', LINK: 'a=b', PRICE: '5$$' });
  expect(services.caddy.environment.PORT).toBe('8079');
});
