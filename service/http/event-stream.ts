/** Milliseconds without an event after which a comment says that the connection stands. */
const keepAlive = 15_000;

export interface ServerSentEvent {
  readonly event: string;
  readonly data: unknown;
}

/**
 * Events as `text/event-stream`. Reads on no faster than the client does, and stops when it is gone: whatever makes
 * the events goes on without it.
 */
export function eventStream(
  events: AsyncGenerator<ServerSentEvent, void>,
  pause = keepAlive,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: Promise<IteratorResult<ServerSentEvent, void>> | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      next ??= events.next();
      const found = await within(pause, next);
      if (found === undefined) {
        controller.enqueue(encoder.encode(': still here\n\n'));
        return;
      }
      next = undefined;
      if (found.done) controller.close();
      else controller.enqueue(encoder.encode(written(found.value)));
    },
    cancel() {
      // Not waited for: it ends with its next event, and that may take a while.
      void events.return();
    },
  });
}

function written({ event, data }: ServerSentEvent): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Undefined when the time is over first. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), milliseconds);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
