import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import {
  type ConversationEvent,
  type ConversationEvents,
  conversationEvent,
} from '../conversation/conversation-events.ts';
import { type RedisConnection, type RedisSettings, redisTimes } from '../storage/redis/redis-connection.ts';
import type { LocalEvents } from './local-events.ts';

const channel = 'conversation-kit:events';
const told = z.object({ from: z.string(), event: conversationEvent });

/**
 * Events of all processes that share a Redis. While Redis is away each process hears its own; when it is back, everybody
 * who listens is told that something may have been missed.
 */
export class RedisEvents implements ConversationEvents {
  readonly #process = randomUUID();
  readonly #local: LocalEvents;
  readonly #connection: RedisConnection;
  readonly #subscriber: Redis;
  readonly #log: Logger;

  /** `connection` is for telling; hearing takes one of its own, which it opens by itself. */
  constructor({ url, password }: RedisSettings, connection: RedisConnection, local: LocalEvents, log: Logger) {
    this.#local = local;
    this.#connection = connection;
    this.#log = log;
    this.#subscriber = new Redis(url, {
      ...(password === undefined ? {} : { password }),
      connectionName: 'conversation-service-events',
      autoResubscribe: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: redisTimes.connect,
      retryStrategy: (times) => Math.min(redisTimes.firstRetry * 2 ** (times - 1), redisTimes.longestRetry),
    });
    this.#subscriber.on('error', (error) => log.debug({ err: error }, 'no events of other processes'));
    this.#subscriber.on('ready', () => void this.#listen());
    this.#subscriber.on('message', (_channel, text) => this.#hear(text));
  }

  publish(event: ConversationEvent): void {
    this.#local.publish(event);
    if (this.#connection.readySince === undefined) return;
    const text = JSON.stringify({ from: this.#process, event });
    this.#connection.client
      .publish(channel, text)
      .catch((error: unknown) => this.#log.warn({ err: error }, 'other processes did not hear of an event'));
  }

  subscribe(conversationId: string, listener: (event: ConversationEvent) => void): () => void {
    return this.#local.subscribe(conversationId, listener);
  }

  close(): void {
    this.#subscriber.disconnect();
  }

  async #listen(): Promise<void> {
    try {
      await this.#subscriber.subscribe(channel);
      this.#local.publishToAll();
    } catch (error) {
      this.#log.warn({ err: error }, 'no events of other processes');
    }
  }

  #hear(text: string): void {
    const message = told.safeParse(parsed(text)).data;
    if (message === undefined) this.#log.warn({ channel }, 'something that is no event was published');
    else if (message.from !== this.#process) this.#local.publish(message.event);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no shape fits that
  }
}
