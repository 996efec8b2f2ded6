import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { door } from '../api-proxy.ts';
import { begin, type RunningKit, say, sender, startKit } from './running-kit.ts';

let kit: RunningKit;

beforeAll(async () => {
  kit = await startKit();
});
afterAll(() => kit?.close());

const canary = 'canary-4711-qwertz';
const line = z.looseObject({ level: z.string(), time: z.iso.datetime(), msg: z.string(), release_id: z.string() });

it('nothing that anybody wrote, and no secret, is logged at level trace in a storm of good and bad requests', async () => {
  const service = await kit.installation.start({ LOG_LEVEL: 'trace', RATE_LIMIT_USER: '60', RATE_LIMIT_FAILED: '5' });
  const user = await kit.record.signUp();
  const send = sender(service, user.token);
  const asServer = sender(service, kit.record.settings.secretKey);
  const forged = await kit.record.token({ sub: canary, role: 'authenticated', aud: canary });
  const id = await begin(send);
  const path = `/v1/conversations/${id}/messages`;
  const message = { role: 'user', content: canary, metadata: { [canary]: canary }, client_message_id: canary };
  const bad: [string, string, unknown?, Record<string, string>?][] = [
    ['POST', path, { messages: [message] }],
    ['POST', path, { messages: [{ ...message, content: `other ${canary}` }] }],
    ['POST', path, { messages: [message], [canary]: canary }],
    ['POST', path, { messages: [{ ...message, role: canary }] }],
    ['POST', path, `{"messages": "${canary}`],
    ['POST', path, { messages: [message] }, { 'content-type': canary }],
    ['POST', path, { messages: [message] }, { 'if-match': canary }],
    ['POST', path, { messages: [message] }, { 'idempotency-key': canary }],
    ['POST', path, { messages: [message] }, { 'x-request-id': `${canary} x` }],
    ['POST', '/v1/conversations', { title: canary, metadata: { canary } }],
    ['POST', '/v1/conversations', { title: canary.repeat(100) }],
    ['GET', `/v1/conversations/${id}?limit=${canary}`],
    ['GET', `/v1/conversations?search=${canary}&token=${canary}`],
    ['POST', '/v1/chat', { message: canary, conversation_id: id }],
    ['POST', '/v1/search', { query: canary }],
    ['GET', `/v1/search?q=${canary}`],
  ];
  const storm = async (headers: Record<string, string> = {}) => {
    for (const [method, target, body, more] of bad) await send(method, target, body, { ...more, ...headers });
  };
  await storm();
  await asServer('POST', path, say([{ type: canary, n: Array.from({ length: 100_000 }, () => 5e-324) }]));
  await asServer('POST', path, say(canary.repeat(100_000)));
  for (const token of [forged, `${user.token}x`, canary, `sb_publishable_${canary}`])
    for (let time = 0; time < 3; time++) await sender(service, token)('GET', path);
  kit.proxy.onReply = async () => 'cut';
  await storm();
  kit.proxy.onReply = async () => 'pass';
  await kit.redis.kill();
  await storm();
  await storm();
  await kit.redis.restart();
  const socket = connect(service.port, '127.0.0.1');
  socket.end(`GET /${canary} HTTP/9.9\r\nAuthorization: Bearer ${canary}\r\n\r\n`);
  await socket.toArray();
  const { output } = await service.stop();

  const lines = output.trim().split('\n');
  for (const text of lines) line.parse(JSON.parse(text));
  expect(lines.filter((text) => text.includes('"msg":"request"')).length).toBeGreaterThan(60);
  expect(output).toContain('"code":"rate_limited"');
  const { secretKey, publishableKey, jwtSecret } = kit.record.settings;
  const secrets = [canary, secretKey, publishableKey, jwtSecret, kit.redis.password, user.token, forged];
  for (const secret of secrets) {
    const at = lines.find((text) => text.includes(secret));
    expect(at?.replaceAll(secret, '<this>')).toBeUndefined();
  }
});

it('a slow request and a slow operation are logged, each with its time', async () => {
  const service = await kit.installation.start();
  const send = sender(service, kit.record.settings.secretKey);
  const id = await begin(send);
  const goOn = door();
  const called = door();
  kit.proxy.onCall = async () => {
    called.open();
    await goOn.opened;
  };
  const append = send('POST', `/v1/conversations/${id}/messages`, say('x'), { 'x-request-id': 'the-slow-one' });
  await called.opened;
  const started = performance.now();
  while (performance.now() - started < 600) await new Promise((resolve) => setTimeout(resolve, 20));
  goOn.open();
  kit.proxy.onCall = async () => undefined;
  await append;
  const { output } = await service.stop();
  const found = output
    .trim()
    .split('\n')
    .map((text) => z.looseObject({ msg: z.string(), ms: z.number().optional() }).parse(JSON.parse(text)));
  expect(found.find(({ msg }) => msg === 'slow operation')).toMatchObject({ level: 'warn', operation: 'append' });
  const request = found.find(({ request_id }) => request_id === 'the-slow-one');
  expect(request).toMatchObject({ level: 'warn', slow: true, msg: 'request' });
  expect(request?.ms).toBeGreaterThan(500);
});
