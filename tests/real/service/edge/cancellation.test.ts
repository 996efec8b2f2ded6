import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { poolLimits } from '../../../../service/storage/supabase/supabase-pool.ts';
import { door } from '../api-proxy.ts';
import type { RunningService } from '../service-process.ts';
import { begin, type RunningKit, type Send, say, sender, startKit } from './running-kit.ts';

let kit: RunningKit;
let service: RunningService;
let send: Send;
let id: string;

beforeAll(async () => {
  kit = await startKit();
  service = await kit.installation.start({ CONVERSATION_STORAGE_BACKEND: 'supabase' });
  send = sender(service, kit.record.settings.secretKey);
  id = await begin(send);
});
afterAll(async () => {
  await service?.stop('SIGKILL');
  await kit?.close();
});
beforeEach(() => {
  kit.proxy.onCall = async () => undefined;
});

/** Holds every call of this function, until it is opened. */
function hold(name: string) {
  const called = door();
  const goOn = door();
  kit.proxy.onCall = async (called_) => {
    if (called_ !== name) return;
    called.open();
    await goOn.opened;
  };
  return { called: called.opened, goOn: goOn.open };
}

const head = () => `Host: x\r\nAuthorization: Bearer ${kit.record.settings.secretKey}\r\n`;

describe('a client that goes away', () => {
  it('cancels its read at Supabase', async () => {
    const { called, goOn } = hold('read_thread');
    const ended = new Promise<void>((resolve) => {
      kit.proxy.onAbandoned = (name) => {
        if (name === 'read_thread') resolve();
      };
    });
    const socket = connect(service.port, '127.0.0.1');
    socket.write(`GET /v1/conversations/${id} HTTP/1.1\r\n${head()}\r\n`);
    await called;
    const started = performance.now();
    socket.destroy();
    await ended;
    expect(performance.now() - started).toBeLessThan(2_000);
    goOn();
  });

  it('does not cancel its append: what was begun is stored', async () => {
    const { called, goOn } = hold('append_messages');
    const body = JSON.stringify(say('the last word'));
    const socket = connect(service.port, '127.0.0.1');
    socket.write(
      `POST /v1/conversations/${id}/messages HTTP/1.1\r\n${head()}Content-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    await called;
    socket.destroy();
    goOn();
    await vi.waitFor(async () =>
      expect((await send('GET', `/v1/conversations/${id}`)).text).toContain('the last word'),
    );
  });
});

describe('a Supabase that hangs', () => {
  it('holds no request longer than its total time, and then goes on with the next', async () => {
    const { goOn } = hold('read_thread');
    const started = performance.now();
    const reply = await send('GET', `/v1/conversations/${id}`);
    const took = performance.now() - started;
    expect(reply.status).toBe(503);
    expect(reply.text).toContain('record_unavailable');
    expect(took).toBeLessThan(poolLimits.total + 2_000);
    goOn();
    kit.proxy.onCall = async () => undefined;
    await vi.waitFor(async () => expect((await send('GET', `/v1/conversations/${id}`)).status).toBe(200), 20_000);
  });
});

describe('a client that is slow', () => {
  it('with its body has thirty seconds, and is told so', async () => {
    const socket = connect(service.port, '127.0.0.1');
    socket.write(
      `POST /v1/conversations/${id}/messages HTTP/1.1\r\n${head()}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
    );
    const drip = setInterval(() => socket.write(' '), 500);
    const started = performance.now();
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => undefined); // the service closes while the drip goes on
    await once(socket, 'close');
    clearInterval(drip);
    expect(performance.now() - started).toBeGreaterThan(25_000);
    expect(performance.now() - started).toBeLessThan(36_000);
    expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
  });
});
