import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.ts';
import { begin, type RunningKit, say, sender, startKit } from './running-kit.ts';

let kit: RunningKit;
let receiver: OtlpReceiver;

beforeAll(async () => {
  [kit, receiver] = await Promise.all([startKit(), startOtlpReceiver()]);
});
afterAll(async () => {
  await receiver?.close();
  await kit?.close();
});

it('a trace goes from the request over the use case to Redis and Supabase, without contents', async () => {
  const service = await kit.installation.start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
  const user = await kit.record.signUp();
  const send = sender(service, user.token);
  const id = await begin(send);
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const parent = 'b7ad6b7169203331';
  const headers = { traceparent: `00-${traceId}-${parent}-01`, 'x-request-id': 'the-traced-one' };
  const canary = 'canary-4711';
  const path = `/v1/conversations/${id}/messages`;
  expect((await send('POST', path, say(canary, { metadata: { canary } }), headers)).status).toBe(201);
  await service.stop();

  const trace = receiver.spans.filter((span) => span.traceId === traceId);
  const named = (name: string) => trace.filter((span) => span.name === name);
  const [request] = named('POST /v1/conversations/:id/messages');
  const [operation] = named('conversation append');
  expect(request?.parentSpanId).toBe(parent);
  expect(operation?.parentSpanId).toBe(request?.spanId);
  expect(named('supabase rpc/append_messages').map(({ parentSpanId }) => parentSpanId)).toEqual([operation?.spanId]);
  // One counts the request, the others keep the hot copy.
  const parents = new Set(named('redis evalsha').map(({ parentSpanId }) => parentSpanId));
  expect(parents).toEqual(new Set([request?.spanId, operation?.spanId]));
  const sent = receiver.text();
  expect(sent).toContain('the-traced-one');
  const { secretKey, publishableKey, jwtSecret } = kit.record.settings;
  for (const secret of [canary, id, user.id, user.token, secretKey, publishableKey, jwtSecret, kit.redis.password])
    expect(sent).not.toContain(secret);
  // Supabase hears of the trace, as a part of the span of that call.
  const [call] = named('supabase rpc/append_messages');
  expect(kit.proxy.traceparents.get('append_messages')).toBe(`00-${traceId}-${call?.spanId}-01`);
});

it('without a receiver nothing is sent on, and a receiver that hangs neither slows nor keeps the service', async () => {
  kit.proxy.traceparents.clear();
  const plain = await kit.installation.start();
  const send = sender(plain, kit.record.settings.secretKey);
  await send('POST', `/v1/conversations/${await begin(send)}/messages`, say('x'));
  expect([...kit.proxy.traceparents.values()]).toEqual([]);
  await plain.stop();

  const hole = createServer(() => undefined);
  await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve));
  const address = hole.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const traced = await kit.installation.start({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
  const sendTraced = sender(traced, kit.record.settings.secretKey);
  await sendTraced('POST', `/v1/conversations/${await begin(sendTraced)}/messages`, say('x'));
  const started = performance.now();
  expect((await traced.stop()).exitCode).toBe(0);
  expect(performance.now() - started).toBeLessThan(8000);
  hole.close();
});
