import { type Dispatcher, fetch, getGlobalDispatcher } from 'undici';
import { type ApiProxy, startApiProxy } from '../api-proxy.ts';
import { startRecord, startTestRedis, type TestRecord, type TestRedis } from '../servers.ts';
import { type Installation, install, type RunningService } from '../service-process.ts';

/** The service as a process, with its Redis and its Supabase behind a proxy. */
export interface RunningKit {
  readonly record: TestRecord;
  readonly redis: TestRedis;
  readonly proxy: ApiProxy;
  readonly installation: Installation;
  close(): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
}

export async function startKit(): Promise<RunningKit> {
  const [record, redis] = await Promise.all([startRecord(), startTestRedis()]);
  const proxy = await startApiProxy(record.settings.url);
  const secrets = { ...record.settings, redisPassword: redis.password };
  const installation = await install(secrets, { supabase: proxy.url, redis: redis.settings.url });
  return {
    record,
    redis,
    proxy,
    installation,
    async close() {
      await installation.remove();
      await proxy.close();
      await redis.stop();
      await record.close();
    },
  };
}

/** Sends requests to a service under one bearer token. */
export function sender({ url }: RunningService, token: string, dispatcher: Dispatcher = getGlobalDispatcher()) {
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> => {
    const response = await fetch(url + path, {
      method,
      dispatcher,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  };
}

export type Send = ReturnType<typeof sender>;

/** A conversation of whoever sends; its id. */
export async function begin(send: Send): Promise<string> {
  const { status, text } = await send('POST', '/v1/conversations', {});
  const id = /"id":"([0-9a-f-]{36})"/.exec(text)?.[1];
  if (status !== 201 || id === undefined) throw new Error(`no conversation was begun: ${status} ${text}`);
  return id;
}

export const say = (content: unknown, more: object = {}) => ({ messages: [{ role: 'user', content, ...more }] });
