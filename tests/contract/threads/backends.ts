import { randomUUID } from 'node:crypto';
import type { Caller } from '../../../service/conversation/conversation.ts';
import type { ThreadDocuments } from '../../../service/conversation/thread-documents.ts';
import { besideConversations } from '../../../service/storage/beside-conversations.ts';
import { HotCopies } from '../../../service/storage/hot-copies/hot-copies.ts';
import { SupabaseCalls } from '../../../service/storage/supabase/supabase-calls.ts';
import { startRecord, startTestRedis, type TestRecord, type TestUser } from '../../real/service/servers.ts';

/** Documents of threads in one backend, with the servers that it needs. */
export interface ThreadBackend {
  readonly threads: ThreadDocuments;
  signUp(): Promise<TestUser>;
  close(): Promise<void>;
}

export const threadBackends: Record<'memory' | 'redis' | 'supabase' | 'dual', () => Promise<ThreadBackend>> = {
  memory: async () => ({
    threads: besideConversations(undefined, undefined, undefined).threads,
    signUp: async () => anyUser(),
    close: async () => undefined,
  }),
  redis: async () => {
    const redis = await startTestRedis();
    const connection = await redis.connect(true);
    return {
      threads: besideConversations(connection, undefined, undefined).threads,
      signUp: async () => anyUser(),
      close: async () => {
        await connection.close();
        await redis.stop();
      },
    };
  },
  supabase: async () => {
    const record = await startRecord();
    const calls = new SupabaseCalls(record.settings);
    return {
      threads: besideConversations(undefined, { calls }, undefined).threads,
      signUp: record.signUp,
      close: () => closeRecord(record, calls),
    };
  },
  dual: async () => {
    const [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
    const calls = new SupabaseCalls(record.settings);
    const connection = await redis.connect();
    const hot = new HotCopies(connection, (error) => {
      throw error;
    });
    return {
      threads: besideConversations(connection, { calls }, hot).threads,
      signUp: record.signUp,
      close: async () => {
        await connection.close();
        await redis.stop();
        await closeRecord(record, calls);
      },
    };
  },
};

async function closeRecord(record: TestRecord, calls: SupabaseCalls): Promise<void> {
  await calls.close();
  await record.close();
}

function anyUser(): Extract<Caller, { kind: 'user' }> {
  return { kind: 'user', id: randomUUID(), token: 'not looked at by this backend' };
}
