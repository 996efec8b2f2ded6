import type { IncomingMessage, ServerResponse } from 'node:http';
import { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import type { App } from './environment.ts';
import { Problem, type ProblemStatus, problemBody } from './problem.ts';

export interface ServerSettings {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
}

/** What becomes of requests that want to speak the WebSocket protocol. */
interface Sockets {
  upgrade(app: App, incoming: IncomingMessage, connection: Duplex, head: Buffer): Promise<void>;
  /** Takes `patience` ms at most. */
  stop(patience: number): Promise<void>;
}

/** Milliseconds. A proxy's idle connections end on its side, before ours: it would send a request into a closed one. */
const times = {
  headers: 10_000,
  /** For a file of conversations; any other body has less time, which request-input.ts sees to. */
  request: 15 * 60_000,
  keepAlive: 180_000,
  checks: 2_000,
  lastCall: 3_000,
  goodbye: 4_000,
} as const;

/** Node's HTTP server around the app. */
export class HttpServer {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Sockets | undefined;
  readonly #inFlight = new Set<ServerResponse>();
  #idle = Promise.withResolvers<void>();

  private constructor(server: Server, port: number, sockets: Sockets | undefined) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = port;
    this.#idle.resolve();
    server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => this.#follow(response));
  }

  /** Rejects with the system's error when the address can't be had. Without `sockets` there are none. */
  static async listen(app: App, { host, port }: ServerSettings, sockets?: Sockets): Promise<HttpServer> {
    const server = createAdaptorServer({
      fetch: app.fetch,
      serverOptions: {
        headersTimeout: times.headers,
        requestTimeout: times.request,
        keepAliveTimeout: times.keepAlive,
        connectionsCheckingInterval: times.checks,
        shouldUpgradeCallback: ({ headers }) => sockets !== undefined && /^websocket$/i.test(headers.upgrade ?? ''),
      },
    });
    if (!(server instanceof Server)) throw new Error('the adaptor made something else than an HTTP/1.1 server');
    server.on('clientError', answerBrokenRequest);
    if (sockets !== undefined) {
      server.on('upgrade', (incoming: IncomingMessage, connection: Duplex, head: Buffer) => {
        void sockets.upgrade(app, incoming, connection, head);
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(port, host, resolve);
    await promise;
    server.off('error', reject);
    const address = server.address();
    return new HttpServer(server, typeof address === 'object' && address !== null ? address.port : port, sockets);
  }

  /**
   * Finishes what is being answered, and cuts off what is not finished within `patience` ms. Takes new requests for a
   * moment, for whoever did not hear in time; the app tells them to go elsewhere. Sockets come last: until then they hear
   * what is written.
   */
  async stop(patience: number): Promise<void> {
    const goodbye = this.#sockets === undefined ? 0 : Math.min(times.goodbye, patience / 4);
    const deadline = delay(patience - goodbye, undefined, { ref: false });
    await Promise.race([this.#idle.promise, delay(Math.min(times.lastCall, patience), undefined, { ref: false })]);
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    await Promise.race([this.#idle.promise, deadline]);
    this.#server.closeAllConnections(); // those that never sent a request, too
    await this.#sockets?.stop(goodbye);
    await closed.promise;
  }

  #follow(response: ServerResponse): void {
    if (this.#inFlight.size === 0) this.#idle = Promise.withResolvers<void>();
    this.#inFlight.add(response);
    response.once('close', () => {
      this.#inFlight.delete(response);
      if (this.#inFlight.size === 0) this.#idle.resolve();
    });
  }
}

/** What Node could not read as a request, or not in time. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = brokenRequest(error.code);
  const body = JSON.stringify(problemBody(problem, 'none'));
  const { title } = problemBody(problem, 'none');
  socket.end(
    `HTTP/1.1 ${problem.status} ${title}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function brokenRequest(code: string | undefined): Problem {
  const problem = (status: ProblemStatus, name: string, detail: string) => new Problem(status, name, detail);
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return problem(408, 'request_timeout', 'the request took too long to arrive');
  if (code === 'HPE_HEADER_OVERFLOW') return problem(431, 'headers_too_large', 'the headers are too large');
  return problem(400, 'malformed_request', 'this is not an HTTP/1.1 request');
}
