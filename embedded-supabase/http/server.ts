import { createServer, type Server } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { hostedOnly } from './answers.ts';

/** How much of a refused request's body is read and dropped, in bytes, so that its connection can be used again. */
const patience = 128 * 1024 * 1024;

/** What is read of a request of Node's. */
interface Incoming extends Readable {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
  readonly headers: { readonly host?: string | undefined };
}

export interface HttpServer {
  readonly url: string;
  /** Takes no new connections, waits for what is being answered, at most `timeout` ms, then cuts it off. */
  close(timeout: number): Promise<void>;
}

export async function startHttpServer(
  address: { readonly host: string; readonly port: number },
  answer: (request: Request) => Promise<Response>,
  log: Logger,
): Promise<HttpServer> {
  let closing = false;
  const listener = getRequestListener(
    async (_request, { incoming }) => {
      const started = performance.now();
      const request = toRequest(incoming);
      const response = await answerOrError(request, answer, log);
      const kept = await readToEnd(request.body);
      if (!kept || closing) response.headers.set('connection', 'close');
      const path = new URL(request.url).pathname; // not the query: it may hold a key or a token
      log.debug(
        { method: request.method, path, status: response.status, ms: Math.round(performance.now() - started) },
        'answered',
      );
      return response;
    },
    { overrideGlobalObjects: false },
  );
  const server = createServer({ keepAliveTimeout: 65_000 }, listener);
  server.on('upgrade', (_request, socket) => refuseUpgrade(socket, log));
  await listen(server, address);
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the server listens on no TCP port');
  const host = address.host === '0.0.0.0' || address.host === '::' ? '127.0.0.1' : address.host;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound.port}`,
    close: (timeout) => {
      closing = true;
      return close(server, timeout);
    },
  };
}

async function answerOrError(
  request: Request,
  answer: (request: Request) => Promise<Response>,
  log: Logger,
): Promise<Response> {
  try {
    return await answer(request);
  } catch (error) {
    log.error({ err: error, method: request.method, path: new URL(request.url).pathname }, 'a request failed');
    return Response.json(
      { code: 500, message: 'internal error: the log of the embedded Supabase has it' },
      { status: 500 },
    );
  }
}

function toRequest(incoming: Incoming): Request {
  const headers = new Headers();
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at] ?? '', incoming.rawHeaders[at + 1] ?? '');
  }
  const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host ?? 'localhost'}`);
  const method = incoming.method ?? 'GET';
  if (method === 'GET' || method === 'HEAD') return new Request(url, { method, headers });
  return new Request(url, { method, headers, body: Readable.toWeb(incoming), duplex: 'half' });
}

/** A WebSocket is asked for by Realtime only. */
function refuseUpgrade(socket: Duplex, log: Logger): void {
  socket.on('error', (error) => log.debug({ err: error }, 'a client broke off'));
  hostedOnly('Realtime')
    .text()
    .then((body) => {
      const head = ['HTTP/1.1 501 Not Implemented', 'content-type: application/json', 'connection: close'];
      socket.end([...head, `content-length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'));
    });
}

/** Reads what nobody has read. False when that is too much, or the client has gone. */
async function readToEnd(body: Request['body']): Promise<boolean> {
  if (body === null || body.locked) return true; // locked: read by whoever took it
  let size = 0;
  try {
    for await (const chunk of body.values({ preventCancel: true })) {
      size += chunk.byteLength;
      if (size > patience) return false;
    }
    return true;
  } catch {
    return false; // the client broke off: there is no connection to keep
  }
}

async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen({ host, port }, listening.resolve);
  await listening.promise;
  server.off('error', listening.reject);
}

async function close(server: Server, timeout: number): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), timeout);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(timer);
}
