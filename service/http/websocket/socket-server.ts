import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import type { Caller } from '../../conversation/conversation.ts';
import type { App } from '../environment.ts';
import { Problem } from '../problem.ts';
import { type SocketLimits, socketLimits } from './socket-limits.ts';
import { closeCodes, subprotocol } from './socket-messages.ts';
import { principalOf, type SessionParts, SocketSession } from './socket-session.ts';

export interface SocketServerParts extends Omit<SessionParts, 'limits'> {
  readonly limits?: Partial<SocketLimits>;
  /** Whether the process has been told to stop. */
  isStopping(): boolean;
}

/** A request to become a socket, on its way through the app. */
interface Candidate {
  caller?: Caller;
}

/**
 * The sockets of one process. A request that wants to become one goes through the app as every other does, so that
 * whatever the app refuses is refused by the same reply; the route of `/ws` then admits it.
 */
export class SocketServer {
  readonly #parts: SocketServerParts;
  readonly #limits: SocketLimits;
  readonly #server: WebSocketServer;
  readonly #candidates = new WeakMap<Request, Candidate>();
  /** Whose sockets there are, also those that are about to be opened. */
  readonly #principals = new Map<Candidate, string>();
  readonly #sessions = new Set<SocketSession>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(parts: SocketServerParts) {
    this.#parts = parts;
    this.#limits = { ...socketLimits, ...parts.limits };
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: true,
      perMessageDeflate: false,
      maxPayload: this.#limits.messageBytes,
      handleProtocols: (offered) => offered.has(subprotocol) && subprotocol,
    });
    this.#heartbeat = setInterval(() => {
      for (const session of this.#sessions) session.beat();
    }, this.#limits.heartbeat).unref();
  }

  /** Sockets that are open. */
  get open(): number {
    return this.#sessions.size;
  }

  /** For the route: lets this request become a socket of the caller. Throws a {@link Problem} that says why not. */
  admit(request: Request, caller: Caller): void {
    const candidate = this.#candidates.get(request);
    if (candidate === undefined) {
      const detail = 'this address speaks the WebSocket protocol only';
      throw new Problem(426, 'upgrade_required', detail, { headers: { upgrade: 'websocket', connection: 'upgrade' } });
    }
    const offered = protocolsOf(request.headers.get('sec-websocket-protocol'));
    if (offered.length > 0 && !offered.includes(subprotocol)) {
      throw new Problem(400, 'unsupported_protocol', `the protocol that is spoken here is ${subprotocol}`);
    }
    if (this.#parts.isStopping()) {
      throw new Problem(503, 'stopping', 'this service stops: connect again', { headers: { 'retry-after': '1' } });
    }
    const who = principalOf(caller);
    const own = [...this.#principals.values()].filter((principal) => principal === who).length;
    if (
      this.#principals.size >= this.#limits.sockets ||
      (caller.kind === 'user' && own >= this.#limits.socketsPerUser)
    ) {
      const detail = 'too many sockets are open: close one, or share it for all conversations';
      throw new Problem(429, 'too_many_sockets', detail, { headers: { 'retry-after': '10' } });
    }
    this.#principals.set(candidate, who);
    candidate.caller = caller;
  }

  /** Answers a request that wants to become a socket. Never rejects. */
  async upgrade(app: App, incoming: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    const onError = (error: Error) =>
      this.#parts.log.debug({ err: error }, 'a connection ended before it was a socket');
    const candidate: Candidate = {};
    connection.on('error', onError);
    connection.once('close', () => this.#principals.delete(candidate));
    if (connection.destroyed) return;
    try {
      const request = requestOf(incoming);
      this.#candidates.set(request, candidate);
      const response = await app.fetch(request, { incoming });
      const { caller } = candidate;
      if (caller === undefined) {
        refuse(connection, response, await response.text());
        return;
      }
      this.#server.handleUpgrade(incoming, connection, head, (socket) => {
        connection.off('error', onError);
        const session = new SocketSession(socket, caller, { ...this.#parts, limits: this.#limits });
        this.#sessions.add(session);
        socket.once('close', () => this.#sessions.delete(session));
      });
    } catch (error) {
      this.#parts.log.error({ err: error }, 'defect');
      connection.destroy();
    }
  }

  /**
   * Tells every client to connect again elsewhere, one after the other, so that whoever serves now does not get them all
   * at once. Cuts off who has not gone after `patience` ms.
   */
  async stop(patience: number): Promise<void> {
    clearInterval(this.#heartbeat);
    const closed = [...this.#server.clients].map(
      (socket) => new Promise<void>((resolve) => void socket.once('close', () => resolve())),
    );
    const goodbyes = this.#sayGoodbye(patience / 2);
    await Promise.race([Promise.all([goodbyes, ...closed]), delay(patience, undefined, { ref: false })]);
    for (const socket of this.#server.clients) socket.terminate();
    await Promise.all(closed);
  }

  /** Takes `longest` ms at most. */
  async #sayGoodbye(longest: number): Promise<void> {
    const sessions = [...this.#sessions];
    const pause = Math.min(this.#limits.betweenGoodbyes, longest / sessions.length);
    const began = performance.now();
    for (const [index, session] of sessions.entries()) {
      const early = index * pause - (performance.now() - began);
      if (early > 1) await delay(early, undefined, { ref: false });
      session.close(closeCodes.restart, 'service restart');
    }
  }
}

/** The same request for the app. Browsers can set no `Authorization`: their token comes among the protocols. */
function requestOf(incoming: IncomingMessage): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const bearer = protocolsOf(incoming.headers['sec-websocket-protocol']).find((name) => name.startsWith('bearer.'));
  if (bearer !== undefined && !headers.has('authorization')) {
    headers.set('authorization', `Bearer ${bearer.slice('bearer.'.length)}`);
  }
  const path = (incoming.url ?? '/').replace(/^\/*/, '/');
  const url = URL.parse(path, 'http://localhost') ?? new URL('http://localhost/');
  return new Request(url, { method: incoming.method === 'HEAD' ? 'HEAD' : 'GET', headers });
}

function protocolsOf(header: string | null | undefined): string[] {
  return (header ?? '').split(',').flatMap((name) => name.trim() || []);
}

function refuse(connection: Duplex, { status, headers }: Response, body: string): void {
  const fields = new Headers(headers);
  fields.set('connection', status === 426 ? 'upgrade, close' : 'close');
  fields.set('content-length', String(Buffer.byteLength(body)));
  const lines = [...fields].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  connection.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n${lines}\r\n${body}`);
}
