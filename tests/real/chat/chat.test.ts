import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chatLimits } from '../../../service/chat/chat.ts';
import { HttpServer } from '../../../service/http/server.ts';
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
import { httpApi, secretKey, userHeaders } from '../../unit/service/http-api.ts';
import { door } from '../service/api-proxy.ts';
import { type ChatClient, chatClient, said, until } from './chat-client.ts';

let upstream: ChatUpstream;
let api: ReturnType<typeof httpApi>;
let server: HttpServer;
let client: ChatClient;
const canary = 'what somebody wrote';

async function open(changes: Record<string, unknown> = {}) {
  api = httpApi({ upstreams: upstream.upstreams(changes) });
  server = await HttpServer.listen(api.app, { host: '127.0.0.1', port: 0 });
  client = chatClient(`http://127.0.0.1:${server.port}`, secretKey);
}
beforeAll(async () => {
  upstream = await startChatUpstream();
  await open({ retries: 0 });
});
afterEach(() => {
  upstream.requests.length = 0;
  expect(upstream.faults).toEqual([]);
  expect(api.lines.join()).not.toContain(canary);
  expect(api.lines.join()).not.toContain(apiKey);
});
afterAll(async () => {
  await api.chats.close(0);
  await server.stop(0);
  await upstream.close();
});

const spoken = (thread: { messages: { role: string; content: unknown }[] }) =>
  thread.messages.map(({ role, content }) => [role, content]);
/** Says the first piece, and the others when the door is opened. */
function saysInTwo(first: string, second: string, goOn: Promise<void>): Script {
  return async ({ begin, delta, finish, closed }) => {
    begin();
    delta({ role: 'assistant', content: first });
    await Promise.race([goOn, closed]);
    delta({ content: second });
    finish();
  };
}

describe('a question', () => {
  it('begins a conversation, and is answered', async () => {
    upstream.next(says('Good ', 'morning'));
    const { status, headers, body } = await client.post({ message: 'Hello', metadata: { from: 'a test' } });
    expect(status).toBe(200);
    expect(headers.get('x-storage-tier')).toBe('memory');
    expect(headers.get('etag')).toBe('"2"');
    expect(body).toMatchObject({
      durability: 'record',
      replayed: false,
      message: { seq: 1, duplicate: false },
      answer: {
        seq: 2,
        role: 'assistant',
        content: 'Good morning',
        client_message_id: `${body.message.client_message_id}:answer`,
        metadata: {
          status: 'complete',
          finish_reason: 'stop',
          upstream: 'local',
          model: 'small',
          usage,
          history: { sent: 1, dropped: 0 },
          in_reply_to: body.message.client_message_id,
        },
      },
    });
    expect(body.answer.metadata.ms).toBeGreaterThanOrEqual(body.answer.metadata.first_token_ms);
    const thread = await client.thread(body.conversation_id);
    expect(thread.messages).toMatchObject([
      { role: 'user', content: 'Hello', metadata: { from: 'a test' } },
      { role: 'assistant', content: 'Good morning', metadata: body.answer.metadata },
    ]);
    expect(thread.continuation_id).toBe(body.continuation_id);
  });

  it('is answered in events, each as soon as it is there', async () => {
    const goOn = door();
    upstream.next(async (reply) => {
      reply.begin();
      reply.delta({ reasoning_content: 'they greet me' });
      await saysInTwo('Good ', 'morning', goOn.opened)({ ...reply, begin: () => undefined });
    });
    const stream = await client.stream({ message: 'Hello' });
    expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(await stream.next()).toMatchObject({ event: 'conversation', data: { message: { seq: 1 } } });
    expect(await stream.next()).toEqual({ event: 'delta', data: { type: 'reasoning', text: 'they greet me' } });
    expect(await stream.next()).toEqual({ event: 'delta', data: { type: 'content', text: 'Good ' } });
    goOn.open();
    expect(await stream.next()).toEqual({ event: 'delta', data: { type: 'content', text: 'morning' } });
    const [done, ...more] = await stream.rest();
    expect(more).toEqual([]);
    expect(done).toMatchObject({
      event: 'done',
      data: {
        replayed: false,
        answer: {
          seq: 2,
          content: 'Good morning',
          metadata: { status: 'complete', reasoning_content: 'they greet me' },
        },
      },
    });
  });

  it('goes with the last messages, with those it is to go with, and with the parameters', async () => {
    const id = await client.begin();
    const messages = Array.from({ length: 12 }, (_, index) => ({
      role: index % 2 ? 'assistant' : 'user',
      content: `${index + 1}`,
    }));
    await client.say(id, { role: 'system', content: 'be brief' }, ...messages);
    const contents = () => upstream.requests.at(-1)?.messages.map(({ content }) => content);
    await client.post({ message: 'ten', conversation_id: id });
    expect(contents()).toEqual(['be brief', '4', '5', '6', '7', '8', '9', '10', '11', '12', 'ten']);
    await client.post({ message: 'three', conversation_id: id, history_limit: 3, temperature: 0.5, model: 'large' });
    expect(contents()).toEqual(['be brief', 'ten', 'Hello, world', 'three']);
    expect(upstream.requests.at(-1)).toMatchObject({ temperature: 0.5, model: 'large' });
    await client.post({ message: 'alone', conversation_id: id, include_history: false });
    expect(contents()).toEqual(['alone']);
  });

  it('continues a conversation by its continuation_id', async () => {
    const first = await client.post({ message: 'one' });
    const second = await client.post({ message: 'two', continuation_id: first.body.continuation_id });
    expect(second.body.conversation_id).toBe(first.body.conversation_id);
    expect(upstream.requests.at(-1)?.messages).toHaveLength(3);
  });

  it('goes with no more than the upstream takes, and the answer says so', async () => {
    const small = httpApi({ upstreams: upstream.upstreams({ max_request_bytes: 2_000 }) });
    const { body: begun } = await small.send('POST', '/v1/conversations', {});
    const messages = Array.from({ length: 5 }, (_, index) => ({ role: 'user', content: `${index}${'x'.repeat(700)}` }));
    await small.send('POST', `/v1/conversations/${begun.id}/messages`, { messages });
    const { body } = await small.send('POST', '/v1/chat', { message: 'Hello', conversation_id: begun.id });
    expect(body.answer.metadata.history).toEqual({ sent: 3, dropped: 3 });
    expect(upstream.requests[0]?.messages.map(({ content }) => content?.slice(0, 5))).toEqual([
      '3xxxx',
      '4xxxx',
      'Hello',
    ]);
    const question = { message: 'x'.repeat(2_001), conversation_id: begun.id };
    expect(await small.send('POST', '/v1/chat', question)).toMatchObject({
      status: 413,
      body: { code: 'message_too_large' },
    });
    expect((await small.send('GET', `/v1/conversations/${begun.id}`)).body.last_seq).toBe(7);
    await small.chats.close(0);
  });

  it('may be thought about at length: that is heard, and not kept', async () => {
    const thought = 'hm '.repeat(chatLimits.keptReasoningBytes / 2);
    upstream.next(({ begin, delta, finish }) => {
      begin();
      delta({ reasoning_content: thought });
      delta({ content: 'Hi' });
      finish();
    });
    const events = await (await client.stream({ message: 'Hello' })).rest();
    expect(said(events, 'reasoning')).toBe(thought);
    expect(events.at(-1)?.data.answer).toMatchObject({ content: 'Hi', metadata: { status: 'complete' } });
    expect(events.at(-1)?.data.answer.metadata).not.toHaveProperty('reasoning_content');
  });

  it('may have parts', async () => {
    const parts = [
      { type: 'text', text: 'what is it?' },
      { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
    ];
    const { body } = await client.post({ message: parts });
    expect(upstream.requests[0]?.messages).toEqual([{ role: 'user', content: parts }]);
    expect((await client.thread(body.conversation_id)).messages[0].content).toEqual(parts);
  });
});

describe('nothing is asked or stored', () => {
  it('in a conversation of somebody else', async () => {
    const id = await client.begin();
    const { authorization } = await userHeaders();
    const stranger = chatClient(`http://127.0.0.1:${server.port}`, authorization.slice('Bearer '.length));
    expect(await stranger.post({ message: canary, conversation_id: id })).toMatchObject({
      status: 404,
      body: { code: 'conversation_not_found' },
    });
    expect((await client.thread(id)).messages).toEqual([]);
    expect(upstream.requests).toEqual([]);
  });

  it.each<[string, object, string, string]>([
    ['for an upstream that there is not', { upstream: 'moon' }, 'unknown_upstream', 'upstream'],
    ['for a model that there is not', { model: 'huge' }, 'unknown_upstream', 'model'],
    ['without a message', { message: '' }, 'invalid_request', 'message'],
    ['with a part that no upstream knows', { message: [{ type: 'widget' }] }, 'invalid_request', 'message'],
    ['with a field that there is not', { temprature: 1 }, 'invalid_request', ''],
    ['with a parameter out of range', { temperature: 3 }, 'invalid_request', 'temperature'],
    ['with two ids', { continuation_id: crypto.randomUUID() }, 'invalid_request', 'continuation_id'],
  ])('%s', async (_what, change, code, path) => {
    const id = await client.begin();
    const { status, body } = await client.post({ message: canary, conversation_id: id, ...change });
    expect([status, body.code, body.errors[0].path]).toEqual([400, code, path]);
    expect((await client.thread(id)).messages).toEqual([]);
    expect(upstream.requests).toEqual([]);
  });

  it('when no upstream is configured', async () => {
    const bare = httpApi();
    const { status, body } = await bare.send('POST', '/v1/chat', { message: 'Hello' });
    expect([status, body.code]).toEqual([503, 'upstream_not_configured']);
    await bare.chats.close(0);
  });
});

describe('a client that goes away', () => {
  it('does not lose the answer', async () => {
    const goOn = door();
    upstream.next(saysInTwo('so far', ' and to the end', goOn.opened));
    const stream = await client.stream({ message: 'Hello' });
    const begun = await stream.next();
    await stream.next();
    stream.vanish();
    goOn.open();
    const thread = await until(async () => {
      const found = await client.thread(begun?.data.conversation_id);
      return found.messages.length === 2 && found;
    });
    expect(thread.messages[1]).toMatchObject({
      content: 'so far and to the end',
      metadata: { status: 'complete', usage },
    });
  });
});

describe('the same question again', () => {
  it('is answered with what is there, and the model is not asked', async () => {
    const question = { message: 'Hello', client_message_id: 'q1' };
    const first = await client.post(question);
    const again = await client.post(question);
    expect(again.status).toBe(200);
    expect(again.body).toEqual({ ...first.body, message: { ...first.body.message, duplicate: true }, replayed: true });
    const events = await (await client.stream(question)).rest();
    expect(events.map(({ event }) => event)).toEqual(['conversation', 'delta', 'done']);
    expect(said(events)).toBe('Hello, world');
    expect(upstream.requests).toHaveLength(1);
  });

  it('is found though much has been said since', async () => {
    const { body } = await client.post({ message: 'Hello', client_message_id: 'q2' });
    const id = body.conversation_id;
    for (let round = 0; round < 3; round += 1) {
      await client.say(id, ...Array.from({ length: 80 }, () => ({ role: 'user', content: 'x' })));
    }
    const again = await client.post({ message: 'Hello', client_message_id: 'q2', conversation_id: id });
    expect(again.body).toMatchObject({ replayed: true, answer: { seq: 2 } });
    expect(upstream.requests).toHaveLength(1);
  });

  it('hears the answer that is under way, from its beginning', async () => {
    const goOn = door();
    upstream.next(saysInTwo('one, ', 'two', goOn.opened));
    const question = { message: 'count', client_message_id: 'q3' };
    const first = await client.stream(question);
    await first.next();
    await first.next();
    const second = await client.stream(question);
    const third = client.post(question);
    expect(await second.next()).toMatchObject({ event: 'conversation', data: { message: { duplicate: true } } });
    expect(await second.next()).toMatchObject({ data: { text: 'one, ' } });
    goOn.open();
    expect(said(await first.rest())).toBe('two');
    expect(said(await second.rest())).toBe('two');
    expect((await third).body.answer.content).toBe('one, two');
    expect(upstream.requests).toHaveLength(1);
  });

  it('is asked once when it comes often at once', async () => {
    const question = { message: 'Hello', client_message_id: 'q4' };
    const replies = await Promise.all(Array.from({ length: 20 }, () => client.post(question)));
    expect(new Set(replies.map(({ body }) => `${body.conversation_id} ${body.answer.seq}`)).size).toBe(1);
    expect(upstream.requests).toHaveLength(1);
  });

  it('must be the same', async () => {
    const { body } = await client.post({ message: 'Hello', client_message_id: 'q5' });
    const other = { message: 'Bye', client_message_id: 'q5', conversation_id: body.conversation_id };
    expect(await client.post(other)).toMatchObject({ status: 409, body: { code: 'client_message_id_reused' } });
  });

  it('is asked again when there was no answer', async () => {
    upstream.next(refuses(500), says('now'));
    const question = { message: canary, client_message_id: 'q6' };
    const failed = await client.post(question);
    expect(failed).toMatchObject({ status: 502, body: { code: 'upstream_failed' } });
    expect(JSON.stringify(failed.body)).not.toContain(canary);
    const again = await client.post(question);
    expect(again.body).toMatchObject({
      replayed: false,
      message: { duplicate: true },
      answer: { seq: 2, content: 'now' },
    });
    expect(upstream.requests.map(({ messages }) => messages.length)).toEqual([1, 1]);
  });

  it('goes with what was said before it, not with what came behind it', async () => {
    upstream.next(refuses(500));
    const question = { message: 'first?', client_message_id: 'q7' };
    await client.post(question);
    const { body } = await client.post({ message: 'second?', client_message_id: 'q7b' });
    await client.post({ ...question, conversation_id: body.conversation_id, client_message_id: 'q7c' });
    upstream.next(refuses(500));
    const id = body.conversation_id;
    await client.post({ message: 'third?', client_message_id: 'q8', conversation_id: id });
    await client.say(id, { role: 'user', content: 'later' });
    await client.post({ message: 'third?', client_message_id: 'q8', conversation_id: id });
    expect(upstream.requests.at(-1)?.messages.map(({ content }) => content)).toEqual([
      'second?',
      'Hello, world',
      'first?',
      'Hello, world',
      'third?',
    ]);
  });
});

describe('an answer that is cut', () => {
  it.each<[string, Script, string]>([
    [
      'by the upstream',
      ({ begin, delta, cut }) => {
        begin();
        delta({ content: 'so far' });
        setImmediate(cut);
      },
      'upstream_failed',
    ],
    [
      'by an end without a reason',
      ({ begin, delta, response }) => {
        begin();
        delta({ content: 'so far' });
        response.end();
      },
      'upstream_failed',
    ],
    [
      'by max_tokens',
      ({ begin, delta, finish }) => {
        begin();
        delta({ content: 'so far' });
        finish('length');
      },
      'length',
    ],
  ])('%s is kept, and says so', async (_what, script, reason) => {
    upstream.next(script);
    const question = { message: canary, client_message_id: `cut by ${_what}` };
    const events = await (await client.stream(question)).rest();
    expect(events.at(-1)).toMatchObject({
      event: 'done',
      data: { answer: { content: 'so far', metadata: { status: 'incomplete', reason } } },
    });
    const again = await client.post(question);
    expect(again).toMatchObject({
      status: 200,
      body: { replayed: true, answer: { content: 'so far', metadata: { status: 'incomplete', reason } } },
    });
    expect(upstream.requests).toHaveLength(1);
  });

  it('as it is longer than an answer may be', async () => {
    const piece = 'x'.repeat(32 * 1024);
    upstream.next(async ({ begin, delta, closed }) => {
      begin();
      for (let sent = 0; sent < 2 * chatLimits.answerBytes; sent += piece.length) delta({ content: piece });
      await closed;
    });
    const { body } = await client.post({ message: 'tell me everything' });
    expect(body.answer.metadata).toMatchObject({ status: 'incomplete', reason: 'too_long' });
    expect(body.answer.content.length).toBeGreaterThan(chatLimits.answerBytes);
    expect(body.answer.content.length).toBeLessThan(chatLimits.answerBytes + 2 * piece.length);
  });
});

describe('an upstream that has no answer', () => {
  it.each<[string, Script, number, string]>([
    ['fails', refuses(500, { error: { message: canary } }), 502, 'upstream_failed'],
    ['is busy', refuses(429, {}, { 'retry-after': '7' }), 503, 'upstream_busy'],
    ['says nothing', writes('text/event-stream', 'data: [DONE]\n\n'), 502, 'upstream_failed'],
  ])('and %s is a problem; the question is stored', async (_what, script, status, code) => {
    upstream.next(script, script);
    const id = await client.begin();
    const reply = await client.post({ message: canary, conversation_id: id });
    expect(reply).toMatchObject({ status, body: { code } });
    expect(reply.headers.get('retry-after')).toBe(code === 'upstream_busy' ? '7' : null);
    const events = await (await client.stream({ message: canary, conversation_id: id })).rest();
    expect(events.at(-1)).toMatchObject({ event: 'error', data: { status, code } });
    expect(spoken(await client.thread(id))).toEqual([
      ['user', canary],
      ['user', canary],
    ]);
    expect(api.completions.at(-1)).toMatchObject({ upstream: 'local', model: 'small', status: code });
  });
});

describe('what is observed', () => {
  it('is the time, the tokens and the end of each answer', async () => {
    await client.post({ message: 'Hello' });
    expect(api.completions.at(-1)).toMatchObject({ upstream: 'local', model: 'small', status: 'complete', usage });
    expect(api.completions.at(-1)?.milliseconds).toBeGreaterThan(0);
  });
});

describe('told to stop', () => {
  it('it lets answers end, cuts the others when the time is over, and begins no more', async () => {
    const goOn = door();
    upstream.next(saysInTwo('all', ' of it', goOn.opened), saysInTwo('so far', ' not', new Promise(() => undefined)));
    const quick = await client.stream({ message: 'quick' });
    await quick.next();
    await quick.next();
    const slow = await client.stream({ message: 'slow' });
    await slow.next();
    await slow.next();
    const closed = api.chats.close(500);
    goOn.open();
    expect((await quick.rest()).at(-1)).toMatchObject({ data: { answer: { metadata: { status: 'complete' } } } });
    expect(await client.post({ message: 'Hello' })).toMatchObject({ status: 503, body: { code: 'stopping' } });
    expect((await slow.rest()).at(-1)).toMatchObject({
      event: 'done',
      data: { answer: { content: 'so far', metadata: { status: 'incomplete', reason: 'stopped' } } },
    });
    await closed;
  });
});
