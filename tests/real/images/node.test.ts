import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { docker, workbench } from './hardened.ts';

const health = `
const response = await fetch('http://127.0.0.1:1234/').catch(() => undefined);
process.exit(response?.ok ? 0 : 1);
`;
const server = `
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
if (process.env.STORAGE) writeFileSync(process.env.STORAGE + '/file', 'kept');
createServer((_, response) => response.end(JSON.stringify({
  heap: getHeapStatistics().heap_size_limit, uid: process.getuid(), env: process.env.NODE_ENV, version: process.version,
}))).listen(1234);
process.once('SIGTERM', () => process.exit(0));
`;

/** The files of a role's bundle, and how its health is asked for. */
const roles = {
  service: {
    files: (program: string) => ({ 'main.mjs': `if (process.argv.includes('--health')) {${health}}\n${program}` }),
    healthCommand: ['node', '/app/main.mjs', '--health'],
  },
  supabase: {
    files: (program: string) => ({ 'main.mjs': program, 'healthcheck.mjs': health }),
    healthCommand: ['node', '/app/healthcheck.mjs'],
  },
};

const answered = z.looseObject({ heap: z.number() });

describe.each(['service', 'supabase'] as const)('the image of the %s', (role) => {
  const bench = workbench();
  afterAll(() => bench.clean());

  test('runs the bundle with the account and the memory of the kit, is healthy by its word, and stops at once', async () => {
    const image = await bench.build(role, roles[role].files(server));
    const storage = role === 'supabase' ? { volumes: { [await bench.volume()]: '/var/lib/storage' } } : {};
    const { container, ...started } = await bench.start(image, {
      ...storage,
      environment: role === 'supabase' ? { STORAGE: '/var/lib/storage' } : {},
      memory: 256,
      ports: [1234],
    });
    await started.untilHealthy();
    const answer = await fetch(`http://127.0.0.1:${await started.port(1234)}/`);
    const { heap, ...rest } = answered.parse(await answer.json());
    expect(rest).toEqual({ uid: 10_001, env: 'production', version: expect.stringMatching(/^v24\./) });
    expect(heap / 1024 / 1024).toBeGreaterThan(100);
    expect(heap / 1024 / 1024).toBeLessThan(256);
    expect((await started.run('touch', '/app/x')).output).toMatch(/Read-only file system|Permission denied/);
    const began = performance.now();
    await container.stop({ t: 20 });
    expect(performance.now() - began).toBeLessThan(5000);
    expect((await docker.getImage(image).inspect()).Size / 1e6).toBeLessThan(320);
  });

  test('is unhealthy when the bundle does not answer', async () => {
    const image = await bench.build(role, roles[role].files('setInterval(() => {}, 1e6);'));
    const started = await bench.start(image);
    expect((await started.run(...roles[role].healthCommand)).exitCode).toBe(1);
  });
});
