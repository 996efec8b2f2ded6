import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import {
  answeredWithin,
  type EngineMessage,
  engineMessages,
  Stalled,
} from '../../../../infra/providers/docker/image/progress-stream.ts';

const never = new AbortController().signal;
const collect = async (messages: AsyncGenerator<EngineMessage>): Promise<EngineMessage[]> => {
  const all: EngineMessage[] = [];
  for await (const one of messages) all.push(one);
  return all;
};

describe("the engine's messages", () => {
  it('are one per line, however the bytes come', async () => {
    const bytes = Readable.from(['{"status":"Pul', 'ling"}\r\n{"id":"a","status":"x"}\n\n{"error":"no"}']);
    expect(await collect(engineMessages(bytes, 1, never))).toEqual([
      { status: 'Pulling' },
      { id: 'a', status: 'x' },
      { error: 'no' },
    ]);
  });

  it('that stop coming are reported, not waited for', async () => {
    const stream = new PassThrough();
    stream.write('{"status":"one"}\n');
    await expect(collect(engineMessages(stream, 0.05, never))).rejects.toThrow(Stalled);
    expect(stream.destroyed).toBe(true);
  });

  it('may take their time where silence is no sign of trouble', async () => {
    const stream = new PassThrough();
    setTimeout(() => stream.end('{"status":"late"}\n'), 50);
    expect(await collect(engineMessages(stream, 0, never))).toEqual([{ status: 'late' }]);
  });

  it('end with the error of a broken connection', async () => {
    const stream = new PassThrough();
    stream.write('{"status":"one"}\n');
    setTimeout(() => stream.destroy(new Error('connection lost')), 20);
    await expect(collect(engineMessages(stream, 1, never))).rejects.toThrow('connection lost');
  });

  it('end when the update is cancelled', async () => {
    const cancelled = new AbortController();
    const messages = collect(engineMessages(new PassThrough(), 1, cancelled.signal));
    cancelled.abort();
    await expect(messages).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('the first answer', () => {
  const silent = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));

  it('is given up when it does not come', async () => {
    await expect(answeredWithin(0.05, never, silent)).rejects.toThrow(Stalled);
  });

  it('is not called a stall when the update is cancelled', async () => {
    const cancelled = new AbortController();
    const answer = answeredWithin(5, cancelled.signal, silent);
    cancelled.abort();
    await expect(answer).rejects.not.toThrow(Stalled);
  });
});
