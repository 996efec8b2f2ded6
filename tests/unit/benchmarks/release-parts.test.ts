import { expect, it } from 'vitest';
import { type ContainerEvent, releaseParts } from '../../../benchmarks/deploy/docker-events.ts';

const happened = (...lines: [at: number, container: string, action: string][]): ContainerEvent[] =>
  lines.map(([at, container, action]) => ({ at, container, action }));

const release = happened(
  [5, 'ck-caddy', 'exec_create: switch-release service-older:8079'],
  [120, 'ck-service-blue', 'exec_create: node /app/main.mjs --health'],
  [150, 'ck-service-green', 'create'],
  [155, 'ck-service-green', 'start'],
  [160, 'ck-caddy', 'exec_die'],
  [230, 'ck-service-green', 'exec_create: node /app/main.mjs --self-test write'],
  [250, 'ck-service-green', 'kill'],
  [270, 'ck-service-green', 'health_status: healthy'],
  [280, 'ck-service-blue', 'health_status: healthy'],
  [310, 'ck-caddy', 'exec_create: switch-release service-green:8079'],
  [311, 'ck-caddy', 'exec_start: switch-release service-green:8079'],
  [325, 'ck-caddy', 'exec_die'],
  [390, 'ck-service-blue', 'kill'],
  [400, 'ck-service-blue', 'destroy'],
);

it('finds the parts of a release one after the other', () => {
  expect(releaseParts(release, { from: 100, to: 450 })).toEqual({
    program: 50,
    write: 100,
    read: 60,
    switch: 15,
    retire: 75,
    end: 50,
    switchedAt: 325,
  });
});

it('leaves out what a release that failed did not reach', () => {
  expect(releaseParts(release.slice(0, 6), { from: 100, to: 450 })).toEqual({
    program: 50,
    write: undefined,
    read: undefined,
    switch: undefined,
    retire: undefined,
    end: undefined,
    switchedAt: undefined,
  });
});
