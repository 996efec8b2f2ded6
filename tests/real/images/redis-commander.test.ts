import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Hardened, projectFile, workbench } from './hardened.ts';

const listed = z.object({
  connections: z.tuple([
    z.object({ label: z.string(), conId: z.string(), options: z.object({ host: z.string(), port: z.number() }) }),
  ]),
});

describe('the image of Redis Commander', () => {
  const bench = workbench();
  const password = 'a pass"word';
  let redis: Hardened;
  let commander: Hardened;
  let image: string;
  let origin: string;
  let network: string;

  beforeAll(async () => {
    network = await bench.network();
    image = await bench.build('redis-commander');
    redis = await bench.start(await bench.build('redis', { 'redis.conf': projectFile('redis.conf') }), {
      network,
      alias: 'redis',
      secrets: { 'redis-password': password },
      volumes: { [await bench.volume()]: '/data' },
    });
    await redis.untilHealthy();
    await redis.run('redis-admin', 'SET', 'seen', 'by a person');
    commander = await bench.start(image, {
      network,
      secrets: { 'redis-password': password },
      ports: [8081],
      memory: 256,
    });
    await commander.untilHealthy();
    origin = `http://127.0.0.1:${await commander.port(8081)}`;
  });
  afterAll(() => bench.clean());

  const connection = async () => {
    const answer = await fetch(`${origin}/connections`);
    const { connections } = listed.parse(await answer.json());
    return connections[0];
  };

  test('shows what is in Redis', async () => {
    const page = await fetch(origin);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('Redis Commander');
    const { label, conId, options } = await connection();
    expect([label, options.host, options.port]).toEqual(['conversation-kit', 'redis', 6379]);
    const value = await fetch(`${origin}/apiv2/key/${conId}/seen`);
    expect(await value.text()).toContain('by a person');
  });

  test('changes nothing unless it is told to', async () => {
    const { conId } = await connection();
    const answer = await fetch(`${origin}/apiv2/key/${conId}/seen?action=delete`, { method: 'POST' });
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringMatching(/read-?only/i)]);
    expect((await redis.run('redis-admin', 'GET', 'seen')).output).toBe('by a person');
  });

  test('shows the password nowhere', async () => {
    const places = [
      JSON.stringify(await commander.container.inspect()),
      JSON.stringify(await commander.container.top()),
      (await commander.run('sh', '-c', 'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline')).output,
      await (await fetch(`${origin}/connections`)).text(),
      await commander.log(),
    ];
    for (const place of places) expect(place).not.toContain('a pass');
  });

  test('says what is wrong without the password', async () => {
    const wrong = await bench.start(image, { network });
    expect(await wrong.ended()).toBe(2);
    expect(await wrong.log()).toContain('There is no file /run/secrets/redis-password');
  });
});
