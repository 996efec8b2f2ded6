import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RateLimits } from '../../../../service/http/rate-limits.ts';
import type { RedisConnection } from '../../../../service/storage/redis/redis-connection.ts';
import { startTestRedis, type TestRedis } from '../servers.ts';

let redis: TestRedis;
const connections: RedisConnection[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await redis?.stop();
});

async function limits(user: number) {
  const connection = await redis.connect();
  connections.push(connection);
  return { rateLimits: new RateLimits({ user, server: 0, failed: 0 }, connection.client), connection };
}
const someone = () => ({ kind: 'user' as const, id: randomUUID(), token: 'x' });

describe('the limit of a user', () => {
  it('is one for all processes', async () => {
    const [{ rateLimits: one }, { rateLimits: other }] = [await limits(10), await limits(10)];
    const user = someone();
    const standings = [];
    for (let request = 0; request < 6; request++) standings.push(await one.count(user), await other.count(user));
    expect(standings.map((standing) => standing?.exceeded)).toEqual([...Array(10).fill(false), true, true]);
    expect(one.refused.user + other.refused.user).toBe(2);
  });

  it('is decided without waiting for Redis by who is far from it', async () => {
    const { rateLimits } = await limits(1000);
    const user = someone();
    expect(rateLimits.count(user)).toBeInstanceOf(Promise);
    await rateLimits.count(user);
    for (let request = 3; request < 850; request++) {
      expect(rateLimits.count(user)).toMatchObject({ exceeded: false, remaining: 1000 - request });
    }
    const rest = await Promise.all(Array.from({ length: 200 }, () => rateLimits.count(user)));
    expect(rest.filter((standing) => standing?.exceeded)).toHaveLength(49);
  });

  it('is counted in the process while Redis is away, and in Redis again when it is back', async () => {
    const { rateLimits, connection } = await limits(5);
    const away = new Promise<void>((resolve) => connection.once('away', () => resolve()));
    await redis.kill();
    await away;
    const user = someone();
    const standings = await Promise.all(Array.from({ length: 8 }, () => rateLimits.count(user)));
    expect(standings.filter((standing) => standing?.exceeded)).toHaveLength(3);
    const back = new Promise<void>((resolve) => connection.once('ready', resolve));
    await redis.restart();
    await back;
    const other = someone();
    await rateLimits.count(other);
    expect(await connection.client.get(`conversation-kit:rate:user:${other.id}`)).toBe('1');
    expect(await connection.client.pttl(`conversation-kit:rate:user:${other.id}`)).toBeGreaterThan(50_000);
  });
});
