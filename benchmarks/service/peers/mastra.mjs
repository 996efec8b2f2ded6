import { randomUUID } from 'node:crypto';
import { PostgresStore } from '@mastra/pg';
import { RedisStore } from '@mastra/redis';
import { textOf } from '../message.mjs';
import { serve } from './serve.mjs';

const store =
  process.argv[2] === 'pg'
    ? new PostgresStore({ id: 'benchmark', connectionString: process.env.DATABASE_URL, schemaName: 'mastra', max: 64 })
    : new RedisStore({ id: 'benchmark', connectionString: process.env.REDIS_URL });
await store.init();
const memory = await store.getStore('memory');
const lengths = new Map();

function message(thread, index) {
  return {
    id: randomUUID(),
    role: index % 2 === 0 ? 'assistant' : 'user',
    type: 'text',
    createdAt: new Date(),
    threadId: thread,
    resourceId: 'benchmark',
    content: { format: 2, parts: [{ type: 'text', text: textOf(index) }] },
  };
}

await serve({
  async prepare(thread, count) {
    const now = new Date();
    await memory.saveThread({
      thread: { id: thread, resourceId: 'benchmark', title: '', metadata: {}, createdAt: now, updatedAt: now },
    });
    for (let from = 0; from < count; from += 1000) {
      const length = Math.min(1000, count - from);
      await memory.saveMessages({ messages: Array.from({ length }, (_, index) => message(thread, from + index + 1)) });
    }
    lengths.set(thread, count);
  },
  async append(thread) {
    const index = lengths.get(thread) + 1;
    lengths.set(thread, index);
    await memory.saveMessages({ messages: [message(thread, index)] });
  },
  async read(thread, count) {
    const orderBy = { field: 'createdAt', direction: 'DESC' };
    const { messages } = await memory.listMessages({ threadId: thread, perPage: count, page: 0, orderBy });
    return messages.length;
  },
  close: () => store.close?.(),
});
