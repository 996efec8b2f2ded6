import { decodeJwt } from 'jose';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { z } from 'zod';
import type { Caller } from '../../conversation/conversation.ts';
import type { ConversationEvents } from '../../conversation/conversation-events.ts';
import type { ConversationService } from '../../conversation/conversation-service.ts';
import type { Authentication } from '../authentication.ts';
import { Problem } from '../problem.ts';
import { FrameRate } from './frame-rate.ts';
import type { SocketLimits } from './socket-limits.ts';
import { type ClientMessage, clientMessage, closeCodes } from './socket-messages.ts';
import { SocketOutlet } from './socket-outlet.ts';
import { SocketSubscription } from './socket-subscription.ts';

export interface SessionParts {
  readonly conversations: ConversationService;
  readonly events: ConversationEvents;
  readonly authentication: Authentication;
  readonly limits: SocketLimits;
  readonly log: Logger;
}

const longestTimer = 2 ** 31 - 1;

/** One open socket: what its client asks for, and for how long it may. */
export class SocketSession {
  readonly #socket: WebSocket;
  readonly #parts: SessionParts;
  readonly #outlet: SocketOutlet;
  readonly #frames: FrameRate;
  readonly #subscriptions = new Map<string, SocketSubscription>();
  #caller: Caller;
  #untilExpiry: NodeJS.Timeout | undefined;
  #isAlive = true;

  constructor(socket: WebSocket, caller: Caller, parts: SessionParts) {
    this.#socket = socket;
    this.#caller = caller;
    this.#parts = parts;
    this.#outlet = new SocketOutlet(socket, parts.limits);
    this.#frames = new FrameRate(parts.limits.framesAtOnce, parts.limits.framesPerSecond);
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('ping', () => this.#count());
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    socket.on('error', (error) => parts.log.debug({ err: error }, 'a client broke the WebSocket protocol'));
    socket.once('close', () => this.#ended());
    this.#watchExpiry();
  }

  /** To be called regularly: cuts the connection of a client that has not answered since the last time. */
  beat(): void {
    if (this.#isAlive) this.#socket.ping();
    else this.#socket.terminate();
    this.#isAlive = false;
  }

  close(code: number, reason: string): void {
    this.#outlet.close(code, reason);
  }

  #ended(): void {
    clearTimeout(this.#untilExpiry);
    for (const subscription of [...this.#subscriptions.values()]) subscription.end();
  }

  /** False when the client has sent too much, and is told so. */
  #count(): boolean {
    this.#isAlive = true;
    if (this.#socket.bufferedAmount > this.#parts.limits.waitingBytes) {
      this.close(closeCodes.slowReader, 'what is sent is not taken');
      return false;
    }
    if (this.#frames.take()) return true;
    this.close(closeCodes.tooManyFrames, 'too many frames');
    return false;
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (!this.#outlet.isOpen || !this.#count()) return;
    if (isBinary) {
      this.close(closeCodes.unsupportedData, 'text only');
      return;
    }
    const value = parsed(String(data));
    const message = clientMessage.safeParse(value);
    if (message.success) this.#answer(message.data);
    else if (value === undefined) this.#refuse('malformed_json', 'that is not JSON');
    else this.#refuse('invalid_request', faultOf(message.error));
  }

  #answer(message: ClientMessage): void {
    switch (message.type) {
      case 'ping':
        this.#outlet.send({ type: 'pong' });
        break;
      case 'authenticate':
        void this.#authenticate(message.token);
        break;
      case 'unsubscribe':
        this.#subscriptions.get(message.conversation_id)?.end();
        this.#outlet.send({ type: 'unsubscribed', conversation_id: message.conversation_id });
        break;
      case 'subscribe':
        this.#subscribe(message.conversation_id, message.after);
        break;
    }
  }

  #subscribe(conversationId: string, after: number | undefined): void {
    const { subscriptionsPerSocket } = this.#parts.limits;
    this.#subscriptions.get(conversationId)?.end();
    if (this.#subscriptions.size >= subscriptionsPerSocket) {
      const detail = `these are more than ${subscriptionsPerSocket} at once: take another socket, or unsubscribe`;
      this.#refuse('too_many_subscriptions', detail, conversationId);
      return;
    }
    const subscription = new SocketSubscription({
      ...this.#parts,
      conversationId,
      after,
      outlet: this.#outlet,
      caller: () => this.#caller,
      onEnd: () => {
        if (this.#subscriptions.get(conversationId) === subscription) this.#subscriptions.delete(conversationId);
      },
    });
    this.#subscriptions.set(conversationId, subscription);
  }

  async #authenticate(token: string): Promise<void> {
    try {
      const caller = await this.#parts.authentication.identify(`Bearer ${token}`);
      if (principalOf(caller) !== principalOf(this.#caller)) {
        throw new Problem(401, 'unauthorized', 'that is the token of somebody else: open another socket for it');
      }
      this.#caller = caller;
      const expires = this.#watchExpiry();
      const expires_at = expires === undefined ? null : new Date(expires).toISOString();
      this.#outlet.send({ type: 'authenticated', expires_at });
    } catch (error) {
      const isExpected = error instanceof Problem;
      if (!isExpected) this.#parts.log.error({ err: error }, 'defect');
      this.#refuse(
        isExpected ? error.code : 'internal_error',
        isExpected ? error.message : 'this is a defect of the service; its log has more',
      );
    }
  }

  /** Returns when the token ends (ms since 1970); undefined for the secret key, which does not. */
  #watchExpiry(): number | undefined {
    clearTimeout(this.#untilExpiry);
    if (this.#caller.kind === 'server') return undefined;
    const expires = (decodeJwt(this.#caller.token).exp ?? 0) * 1000;
    const left = expires - Date.now();
    this.#untilExpiry = setTimeout(
      () => {
        if (left > longestTimer) this.#watchExpiry();
        else this.close(closeCodes.authenticateAgain, 'the token has expired: authenticate again');
      },
      Math.min(Math.max(left, 0), longestTimer),
    );
    return expires;
  }

  #refuse(code: string, detail: string, conversation_id?: string): void {
    this.#outlet.send({
      type: 'error',
      code,
      detail,
      ...(conversation_id === undefined ? {} : { conversation_id }),
    });
  }
}

/** Who a caller is, whatever the token. */
export function principalOf(caller: Caller): string {
  return caller.kind === 'server' ? 'server' : `user ${caller.id}`;
}

function faultOf({ issues: [issue] }: z.ZodError): string {
  return `${issue?.path.join('.') || 'the message'}: ${issue?.message ?? 'is not valid'}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // which no JSON is
  }
}
