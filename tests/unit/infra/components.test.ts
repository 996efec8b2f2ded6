import * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import { beforeAll, describe, expect, it } from 'vitest';
import { HardenedContainer } from '../../../infra/docker/hardened-container.ts';
import type { KitImage } from '../../../infra/docker/image.ts';
import { Redis } from '../../../infra/docker/redis.ts';
import { ServiceRelease } from '../../../infra/docker/service-release.ts';
import { profiles } from '../../../infra/profiles.ts';
import { type RegisteredResource, registeredBy } from '../../support/pulumi-mocks.ts';

const containerType = 'docker:index/container:Container';
const volumeType = 'docker:index/volume:Volume';

class AnyImage extends pulumi.ComponentResource {
  readonly reference: string;
  readonly engineId = pulumi.output('sha256:1');
  constructor(reference: string) {
    super('test:Image', 'image');
    this.reference = reference;
  }
}

describe('the components', () => {
  let registered: RegisteredResource[];
  const named = (type: string, name: string) => {
    const found = registered.find((resource) => resource.type === type && resource.name === name);
    if (!found) throw new Error(`no ${type} ${name} among ${registered.map((resource) => resource.name).join(', ')}`);
    return found;
  };

  beforeAll(async () => {
    registered = await registeredBy(() => {
      const network = new docker.Network('network', { name: 'ck' });
      const stack = { namespace: 'ck', profile: profiles.local, network };
      const image: KitImage = new AnyImage('conversation-kit/any:1');
      new Redis('redis', { stack, image, password: 'a secret' });
      new ServiceRelease('service', {
        stack,
        image,
        supabase: {
          url: 'http://supabase:54321',
          identity: 'http://supabase:54321',
          hasPublicKeys: false,
          publishableKey: 'p',
          secretKey: 's',
          jwtSecret: 'j',
        },
        redis: { url: 'redis://redis:6379', password: 'a secret' },
        outbox: new docker.Volume('outbox'),
        chatUpstreams: undefined,
        timeoutHours: 24,
        requestsPerMinute: 600,
        otlpEndpoint: undefined,
        logLevel: 'info',
        secretsGeneration: 1,
      });
      new HardenedContainer('plain', {
        stack,
        role: 'caddy',
        aliases: ['caddy'],
        image,
        limits: { memory: 64, cpus: 0.5 },
        ports: [{ address: '127.0.0.1', port: 5432, published: 54_322 }],
        healthyWithin: 5,
        stopWithin: 5,
      });
    });
  });

  it('make no container that is root, writable, capable or without a gate', () => {
    const containers = registered.filter(({ type }) => type === containerType);
    expect(containers).toHaveLength(3);
    for (const { name, inputs } of containers) {
      expect(inputs, name).toMatchObject({
        user: '10001:10001',
        readOnly: true,
        capabilities: { drops: ['ALL'] },
        securityOpts: ['no-new-privileges:true'],
        init: true,
        restart: 'unless-stopped',
        logDriver: 'json-file',
        networkMode: 'bridge',
      });
      // A release is waited for at its own gate.
      if (!name.startsWith('service-')) expect(inputs.wait, name).toBe(true);
      expect(inputs.memory, name).toBeGreaterThan(0);
      expect(inputs.memorySwap, name).toBe(inputs.memory);
    }
  });

  it('hand secrets over as files, never as variables', () => {
    const { inputs } = named(containerType, 'redis');
    // The engine's own mark of a secret: what carries it is encrypted in state and hidden in previews.
    expect(inputs.uploads).toMatchObject({
      '4dabf18193072939515e22adb298388d': '1b47061264138c4ac30d75fd1eb44270',
      value: [{ file: '/run/secrets/redis-password', permissions: '0444', content: 'a secret' }],
    });
    expect(inputs.envs.join()).not.toContain('a secret');
  });

  it('publish a container’s port under another number where that is asked for', () => {
    expect(named(containerType, 'plain').inputs.ports).toEqual([{ ip: '127.0.0.1', internal: 5432, external: 54_322 }]);
    expect(named(containerType, 'redis').inputs.ports).toEqual([]);
  });

  it('put the id of a release into its name, and give it no port of the box', () => {
    const release = registered.find(({ type, name }) => type === containerType && name.startsWith('service-'));
    expect(release?.name).toMatch(/^service-[0-9a-f]{10}$/);
    expect(release?.inputs.name).toBe(`ck-${release?.name}`);
    expect(release?.inputs.networksAdvanced).toEqual([{ name: 'ck', aliases: [release?.name] }]);
    expect(release?.inputs.ports).toEqual([]);
    expect(named(volumeType, `${release?.name}-secrets`).inputs.name).toBe(`ck-${release?.name}-secrets`);
  });
});
