import { expect, it } from 'vitest';
import { type ContainerEvent, releaseParts } from '../../../benchmarks/deploy/docker-events.ts';

const happened = (...lines: [at: number, container: string, action: string][]): ContainerEvent[] =>
  lines.map(([at, container, action]) => ({ at, container, action }));

const release = happened(
  [5, 'ck-caddy', 'exec_create: switch-release service-older:8079'],
  [120, 'ck-service-blue', 'health_status: healthy'],
  [150, 'ck-service-green', 'create'],
  [155, 'ck-service-green', 'start'],
  [160, 'ck-caddy', 'exec_die'],
  [250, 'ck-service-green', 'health_status: healthy'],
  [260, 'ck-service-green', 'exec_create: node /app/main.mjs --self-test write'],
  [300, 'ck-service-green', 'health_status: healthy'],
  [310, 'ck-caddy', 'exec_create: switch-release service-green:8079'],
  [311, 'ck-caddy', 'exec_start: switch-release service-green:8079'],
  [325, 'ck-caddy', 'exec_die'],
  [400, 'ck-service-blue', 'destroy'],
);

it('finds the parts of a release one after the other', () => {
  expect(releaseParts(release, { from: 100, to: 450 })).toEqual({
    program: 50,
    health: 100,
    selfTest: 60,
    switch: 15,
    retire: 75,
    end: 50,
    switchedAt: 325,
  });
});

it('leaves out what a release that failed did not reach', () => {
  const failed = releaseParts(release.slice(0, 5), { from: 100, to: 450 });
  expect(failed).toMatchObject({ program: 50, health: undefined, switch: undefined, switchedAt: undefined });
});
