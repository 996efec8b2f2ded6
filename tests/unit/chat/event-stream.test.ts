import { describe, expect, it } from 'vitest';
import { UpstreamBusy, UpstreamFailed, UpstreamTimeout } from '../../../service/conversation/errors.ts';
import { conversationProblem } from '../../../service/http/conversation-problem.ts';
import { eventStream, type ServerSentEvent } from '../../../service/http/event-stream.ts';

describe('a stream of events', () => {
  it('has each event, and a comment whenever there was none for a while', async () => {
    const goOn = Promise.withResolvers<void>();
    async function* events(): AsyncGenerator<ServerSentEvent, void> {
      yield { event: 'delta', data: { text: 'two\nlines' } };
      await goOn.promise;
      yield { event: 'done', data: {} };
    }
    const reader = eventStream(events(), 10).pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('event: delta\ndata: {"text":"two\\nlines"}\n\n');
    expect((await reader.read()).value).toBe(': still here\n\n');
    goOn.resolve();
    let next = await reader.read();
    while (next.value?.startsWith(':')) next = await reader.read();
    expect(next.value).toBe('event: done\ndata: {}\n\n');
    expect((await reader.read()).done).toBe(true);
  });

  it('ends the events when the client goes away', async () => {
    const ended = Promise.withResolvers<void>();
    async function* events(): AsyncGenerator<ServerSentEvent, void> {
      try {
        for (;;) yield { event: 'delta', data: {} };
      } finally {
        ended.resolve();
      }
    }
    const reader = eventStream(events()).getReader();
    await reader.read();
    await reader.cancel();
    await ended.promise;
  });
});

describe('what goes wrong with an upstream', () => {
  it.each([
    [new UpstreamFailed('local', 'broke off'), 502, undefined],
    [new UpstreamTimeout('local'), 504, undefined],
    [new UpstreamBusy('local', 7), 503, '7'],
  ])('%s has a status of its own', (error, status, retryAfter) => {
    const problem = conversationProblem(error);
    expect([problem.status, problem.code, problem.headers['retry-after']]).toEqual([status, error.code, retryAfter]);
  });
});
