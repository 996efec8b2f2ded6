import type { Redis } from 'ioredis';
import type postgres from 'postgres';

/** Tables that have the text in any of their rows, with their schemas. */
export async function tablesWith(sql: postgres.Sql, text: string): Promise<string[]> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema')`;
  const found = [];
  for (const { name } of tables) {
    const [row] = await sql`select from ${sql.unsafe(name)} t where position(${text} in t::text) > 0 limit 1`;
    if (row !== undefined) found.push(name);
  }
  return found;
}

/** Keys that have the text in their name or in their value, of whichever type. */
export async function keysWith(redis: Redis, text: string): Promise<string[]> {
  const found = [];
  for (const key of await redis.keys('*')) {
    const value = JSON.stringify([key, await contentOf(redis, key)]);
    if (value.includes(text)) found.push(key);
  }
  return found;
}

async function contentOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  if (type === 'string') return redis.get(key);
  if (type === 'list') return redis.lrange(key, 0, -1);
  if (type === 'hash') return redis.hgetall(key);
  if (type === 'set') return redis.smembers(key);
  if (type === 'zset') return redis.zrange(key, '0', '-1');
  if (type === 'none') return undefined;
  throw new Error(`a key of type ${type} can not be searched: teach this test to`);
}
