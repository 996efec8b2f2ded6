import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CompletionPiece } from '../../../service/chat/completion.ts';
import { UpstreamClient } from '../../../service/chat/upstream-client.ts';
import { ConversationError, type UpstreamBusy } from '../../../service/conversation/errors.ts';
import {
  apiKey,
  type ChatUpstream,
  refuses,
  type Script,
  says,
  startChatUpstream,
  usage,
  writes,
} from '../../support/chat-upstream.ts';
import { collected } from '../../support/collected.ts';
import { freePort } from '../../support/containers.ts';

let upstream: ChatUpstream;
let clients: UpstreamClient[] = [];
const canary = 'what somebody wrote';

beforeAll(async () => {
  upstream = await startChatUpstream();
});
beforeEach(() => {
  upstream.requests.length = 0;
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  clients = [];
  expect(upstream.faults).toEqual([]);
});
afterAll(() => upstream.close());

function clientOf(changes: Record<string, unknown> = {}): UpstreamClient {
  const { standard } = upstream.upstreams(changes);
  if (standard === undefined) throw new Error('no upstream');
  const client = new UpstreamClient(standard);
  clients.push(client);
  return client;
}

const request = { model: 'small', messages: [{ role: 'user' as const, content: canary }] };

async function completed(client: UpstreamClient, signal = new AbortController().signal): Promise<CompletionPiece> {
  const whole: Record<string, unknown> = {};
  for await (const piece of client.complete(request, signal)) {
    for (const [name, value] of Object.entries(piece)) {
      whole[name] = typeof value === 'string' && name !== 'model' ? `${whole[name] ?? ''}${value}` : value;
    }
  }
  return whole;
}

/** The error that there is instead, and everything that a log would have of it. */
async function failure(client: UpstreamClient): Promise<{ error: ConversationError; said: string }> {
  const error = await completed(client).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConversationError)) throw new Error('it is no error of ours', { cause: error });
  const said: string[] = [];
  for (let each: unknown = error; each instanceof Error; each = each.cause) said.push(each.message);
  return { error, said: said.join('\n') };
}

describe('a completion', () => {
  it('comes in pieces, with the reason of its end and the tokens', async () => {
    upstream.next(says('Good ', 'morning'));
    expect(await completed(clientOf())).toEqual({
      content: 'Good morning',
      finishReason: 'stop',
      usage,
      model: 'small',
      done: true,
    });
  });

  it('is asked for with the key and with what the request says', async () => {
    const client = clientOf();
    const asked = { ...request, temperature: 0.2, max_tokens: 5, stop: ['x'] };
    await collected(client.complete(asked, new AbortController().signal));
    expect(upstream.requests).toEqual([{ ...asked, stream: true, stream_options: { include_usage: true } }]);
  });

  it('may think aloud before it speaks', async () => {
    upstream.next(({ begin, delta, finish }) => {
      begin();
      delta({ role: 'assistant', content: null, reasoning_content: 'they greet' });
      delta({ content: 'Hi' });
      finish();
    });
    expect(await completed(clientOf())).toMatchObject({ reasoning: 'they greet', content: 'Hi' });
  });

  const chunk = (content: string, more = {}) =>
    JSON.stringify({ choices: [{ index: 0, delta: { content }, ...more }] });
  const emoji = Buffer.from(`data: ${chunk('😀é')}\n\ndata: [DONE]\n\n`);
  it.each<[string, Script, CompletionPiece]>([
    [
      'lines that end in CRLF, cut between the two',
      writes('text/event-stream', `data: ${chunk('a')}\r`, '\n\r\n', `data: ${chunk('b')}\r\n\r\ndata: [DONE]\r\n\r\n`),
      { content: 'ab', done: true },
    ],
    [
      'characters cut between two chunks',
      writes('text/event-stream', ...Array.from(emoji, (byte) => Uint8Array.of(byte))),
      { content: '😀é', done: true },
    ],
    [
      'comments that keep the connection alive',
      writes('text/event-stream', ': PROCESSING\n\n', ':\n', `data: ${chunk('a')}\n\n`, ': x\n\ndata: [DONE]\n\n'),
      { content: 'a', done: true },
    ],
    [
      'no empty line behind the last event',
      writes('text/event-stream', `data: ${chunk('a')}\n\ndata: [DONE]`),
      { content: 'a', done: true },
    ],
    [
      'no [DONE], no usage',
      writes('text/event-stream', `data: ${chunk('a', { finish_reason: 'stop' })}\n\n`),
      { content: 'a', finishReason: 'stop' },
    ],
    [
      'its tokens in the choice (Moonshot)',
      writes('text/event-stream', `data: ${chunk('a', { finish_reason: 'stop', usage })}\n\ndata: [DONE]\n\n`),
      { content: 'a', finishReason: 'stop', usage, done: true },
    ],
    [
      'no space behind "data:", a mark of byte order, other choices',
      writes('text/event-stream', `\ufeffdata:${chunk('a')}\n\ndata:${chunk('b', { index: 1 })}\n\ndata:[DONE]\n\n`),
      { content: 'a', done: true },
    ],
    [
      'the content in parts',
      writes(
        'text/event-stream',
        `data: {"choices":[{"delta":{"content":[{"type":"text","text":"a"}]}}]}\n\ndata: [DONE]\n\n`,
      ),
      { content: 'a', done: true },
    ],
    [
      'all of it at once, as JSON',
      refuses(200, { model: 'm', choices: [{ message: { content: 'whole' }, finish_reason: 'stop' }], usage }),
      { content: 'whole', finishReason: 'stop', usage, model: 'm', done: true },
    ],
  ])('may have %s', async (_what, script, expected) => {
    upstream.next(script);
    expect(await completed(clientOf())).toEqual(expected);
  });
});

describe('no completion is', () => {
  it.each<[string, Script, string, RegExp]>([
    ['an error with status 200', refuses(200, { error: { message: canary } }), 'upstream_failed', /an error;/],
    ['a page', writes('text/html', `<html>${canary}`), 'upstream_failed', /a page instead/],
    ['JSON of another kind', refuses(200, { text: canary }), 'upstream_failed', /JSON that is no completion/],
    ['what is no JSON', writes('text/event-stream', `data: {${canary}\n\n`), 'upstream_failed', /not JSON/],
    ['JSON that is broken', writes('application/json', `{"x": ${canary}`), 'upstream_failed', /not JSON/],
    ['what has other types', writes('text/event-stream', 'data: {"choices":"x"}\n\n'), 'upstream_failed', /no part of/],
    ['a refusal', refuses(400, { error: { message: canary, code: canary } }), 'upstream_failed', /HTTP 400;/],
    [
      'a refusal with a reason',
      refuses(400, { error: { message: canary, code: 'context_length_exceeded' } }),
      'upstream_failed',
      /HTTP 400 \(context_length_exceeded\)/,
    ],
    ['a key that is refused', refuses(401, { error: { message: `bad ${apiKey}` } }), 'upstream_failed', /HTTP 401/],
    ['a redirect', refuses(302, {}, { location: 'http://127.0.0.1:1/' }), 'upstream_failed', /HTTP 302/],
    ['an empty answer', refuses(204, ''), 'upstream_failed', /HTTP 204/],
  ])('%s, and it is asked once', async (_what, script, code, message) => {
    upstream.next(script);
    const { error, said } = await failure(clientOf());
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
    expect(said).not.toContain(canary);
    expect(said).not.toContain(apiKey);
    expect(upstream.requests).toHaveLength(1);
  });

  it('an error in the middle of the events; what came before it did come', async () => {
    upstream.next(({ begin, delta, response }) => {
      begin();
      delta({ content: 'so far' });
      response.end(`data: {"error":{"message":"${canary}","code":"server_error"}}\n\n`);
    });
    const heard: CompletionPiece[] = [];
    const listening = async () => {
      for await (const piece of clientOf().complete(request, new AbortController().signal)) heard.push(piece);
    };
    await expect(listening()).rejects.toMatchObject({
      code: 'upstream_failed',
      message: expect.stringMatching(/an error \(server_error\)/),
    });
    expect(heard).toEqual([{ content: 'so far', model: 'small' }]);
  });

  it('an event beyond all measure', async () => {
    upstream.next(async ({ begin, response, closed }) => {
      begin();
      response.write('data: ');
      const more = () => response.write('x'.repeat(64 * 1024), () => setImmediate(more));
      more();
      await closed;
    });
    expect((await failure(clientOf())).error.message).toMatch(/beyond all measure/);
  });
});

describe('it is asked again', () => {
  it.each<[string, Script]>([
    ['after 429', refuses(429, {}, { 'retry-after': '0' })],
    ['after 500', refuses(500, {}, { 'retry-after': '0' })],
    ['after 503 with a date', refuses(503, {}, { 'retry-after': new Date().toUTCString() })],
    ['after a connection that ended without an answer', ({ cut }) => cut()],
  ])('%s', async (_what, script) => {
    upstream.next(script, says('at last'));
    expect((await completed(clientOf())).content).toBe('at last');
    expect(upstream.requests).toHaveLength(2);
  });

  it('after the time that it asks for', async () => {
    upstream.next(refuses(429, {}, { 'retry-after': '1' }), says('x'));
    const started = performance.now();
    await completed(clientOf());
    expect(performance.now() - started).toBeGreaterThan(990);
  });

  it('no more often than is set, and 429 is passed on with its time', async () => {
    upstream.next(...Array.from({ length: 3 }, () => refuses(500, {}, { 'retry-after': '0' })));
    expect((await failure(clientOf({ retries: 2 }))).error.code).toBe('upstream_failed');
    expect(upstream.requests).toHaveLength(3);
    upstream.next(refuses(429, {}, { 'retry-after': '120' }));
    const { error } = await failure(clientOf());
    expect([error.code, (error as UpstreamBusy).retryAfterSeconds]).toEqual(['upstream_busy', 120]);
    expect(upstream.requests).toHaveLength(4);
  });

  it('never when there is no credit, or once it has begun to answer', async () => {
    upstream.next(refuses(429, { error: { code: 'insufficient_quota' } }, { 'retry-after': '0' }));
    expect((await failure(clientOf())).error.code).toBe('upstream_busy');
    upstream.next(({ begin, delta, cut }) => {
      begin();
      delta({ content: 'a' });
      setImmediate(cut);
    });
    const { error } = await failure(clientOf());
    expect([error.code, error.message]).toEqual(['upstream_failed', expect.stringMatching(/broke off/)]);
    expect(upstream.requests).toHaveLength(2);
  });
});

describe('it is waited for', () => {
  it('until the connection should stand', async () => {
    const { error } = await failure(clientOf({ url: `http://127.0.0.1:${await freePort()}/v1`, retries: 0 }));
    expect([error.code, error.message]).toEqual(['upstream_failed', expect.stringMatching(/could not be reached/)]);
  });

  it.each<[string, Record<string, number>, Script]>([
    ['until the first byte', { first_byte: 300 }, ({ closed }) => closed],
    [
      'between two bytes',
      { between_bytes: 300 },
      ({ begin, delta, closed }) => {
        begin();
        delta({ content: 'a' });
        return closed;
      },
    ],
    [
      'for all of it, though it never falls silent',
      { total: 600 },
      async ({ begin, response, closed }) => {
        begin();
        const timer = setInterval(() => response.write(': still thinking\n\n'), 50);
        await closed;
        clearInterval(timer);
      },
    ],
  ])('%s', async (_what, timeouts, script) => {
    upstream.next(script);
    const started = performance.now();
    expect((await failure(clientOf({ timeouts }))).error.code).toBe('upstream_timeout');
    expect(performance.now() - started).toBeLessThan(2_500);
    expect(upstream.requests).toHaveLength(1);
  });

  it('until nobody wants it any more: then the connection is closed', async () => {
    const gone = Promise.withResolvers<void>();
    upstream.next(async ({ begin, closed }) => {
      begin();
      await closed;
      gone.resolve();
    });
    const stop = new AbortController();
    const reason = new Error('enough');
    const listening = completed(clientOf(), stop.signal);
    setTimeout(() => stop.abort(reason), 100);
    await expect(listening).rejects.toBe(reason);
    await gone.promise;
  });
});
