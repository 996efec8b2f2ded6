import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';

/** What ioredis tells of a command. Its arguments are what somebody wrote: they are not looked at. */
export interface RedisCommand {
  readonly command: string;
}

/** Every command of every connection to Redis of this process. */
export const redisCommands = tracingChannel<'ioredis:command', RedisCommand>('ioredis:command');

export interface CallListener<C> {
  /** In the context of whoever calls. */
  begins?(call: C): void;
  ends(call: C, outcome: { readonly seconds: number; readonly failed: boolean }): void;
}

/** Hears of the calls of a channel, until the function that it returns is called. */
export function listenToCalls<C extends object>(
  channel: TracingChannel<string, C>,
  listener: CallListener<C>,
): () => void {
  const started = new WeakMap<C, number>();
  const failed = new WeakSet<C>();
  const subscribers = {
    start: (call: C) => {
      started.set(call, performance.now());
      listener.begins?.(call);
    },
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: (call: C) => {
      const seconds = (performance.now() - (started.get(call) ?? performance.now())) / 1000;
      listener.ends(call, { seconds, failed: failed.has(call) });
    },
    error: (call: C) => {
      failed.add(call);
    },
  };
  channel.subscribe(subscribers);
  return () => {
    channel.unsubscribe(subscribers);
  };
}
