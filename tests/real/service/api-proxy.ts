import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of a reply that the API has given: it goes on, or its connection is cut. */
export type Fate = 'pass' | 'cut';

/** Stands between a store and the API of Supabase: counts calls, and can hold or cut what goes through. */
export interface ApiProxy {
  readonly url: string;
  /** Names of the functions that were called, in order. */
  readonly calls: string[];
  /** The trace that the last call of each function belongs to. */
  readonly traceparents: Map<string, string>;
  /** Looks at each call before it goes to the API, and at each reply before it goes back. */
  onCall: (name: string) => Promise<void>;
  onReply: (name: string) => Promise<Fate>;
  /** Hears of calls whose caller has gone away before there was a reply. */
  onAbandoned: (name: string) => void;
  /** Connections that are open to it. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

export async function startApiProxy(target: string): Promise<ApiProxy> {
  const proxy = {
    calls: [] as string[],
    traceparents: new Map<string, string>(),
    onCall: async (_name: string): Promise<void> => undefined,
    onReply: async (_name: string): Promise<Fate> => 'pass',
    onAbandoned: (_name: string): void => undefined,
  };
  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const name = incoming.url?.split('/').at(-1) ?? '';
    const body = Buffer.concat(await incoming.toArray());
    proxy.calls.push(name);
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) proxy.onAbandoned(name);
    });
    const trace = incoming.headers.traceparent;
    if (typeof trace === 'string') proxy.traceparents.set(name, trace);
    await proxy.onCall(name);
    const { method = 'GET', headers } = incoming;
    const upstream = request(new URL(incoming.url ?? '/', target), { method, headers, agent: false });
    upstream.on('error', () => incoming.socket.destroy());
    upstream.on('response', async (answer) => {
      const reply = Buffer.concat(await answer.toArray());
      if ((await proxy.onReply(name)) === 'cut') {
        incoming.socket.destroy();
        return;
      }
      const { connection: _, 'keep-alive': __, ...kept } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 500, kept).end(reply);
    });
    upstream.end(body);
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${port}`,
    connections: () =>
      new Promise<number>((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** A door that is shut until it is opened. */
export function door() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
