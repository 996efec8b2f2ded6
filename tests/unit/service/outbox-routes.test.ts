import { describe, expect, it } from 'vitest';
import type { OutboxControl, OutboxReport } from '../../../service/conversation/outbox-report.ts';
import { httpApi, userHeaders } from './http-api.ts';

const time = '2026-01-01T00:00:00.000Z';
const entry = {
  id: 7,
  conversation_id: '6f1b4b0e-54b5-4c6e-9a57-3a5b7f3f0a11',
  user_id: null,
  code: 'conversation_not_found',
  is_new: false,
  message_count: 1,
  acknowledged_at: time,
  refused_at: time,
};
const message = { client_message_id: 'm', role: 'user' as const, content: 'said', metadata: {}, created_at: time };

class OneEntry implements OutboxControl {
  readonly done: string[] = [];

  report(withMessages: boolean): OutboxReport {
    const refused = [withMessages ? { ...entry, messages: [message] } : entry];
    return { waiting: { messages: 3, conversations: 2, oldest_at: time }, record: 'away', refused };
  }

  async retry(id: number): Promise<boolean> {
    this.done.push(`retry ${id}`);
    return id === entry.id;
  }

  async discard(id: number): Promise<boolean> {
    this.done.push(`discard ${id}`);
    return id === entry.id;
  }
}

describe('the outbox', () => {
  it('is shown to the server, without what was said unless that is asked for', async () => {
    const { send } = httpApi({ outbox: new OneEntry() });
    const short = await send('GET', '/v1/outbox');
    expect(short).toMatchObject({ status: 200, body: { waiting: { messages: 3 }, record: 'away', refused: [entry] } });
    expect(JSON.stringify(short.body)).not.toContain('said');
    expect((await send('GET', '/v1/outbox?messages=yes')).body.refused[0].messages).toEqual([message]);
    expect((await send('GET', '/v1/outbox?messages=perhaps')).status).toBe(400);
  });

  it('has what was refused retried and discarded', async () => {
    const outbox = new OneEntry();
    const { send } = httpApi({ outbox });
    expect(await send('POST', '/v1/outbox/refused/7/retry')).toMatchObject({ status: 200, body: { id: 7 } });
    expect(await send('POST', '/v1/outbox/refused/7/discard')).toMatchObject({ status: 200, body: { id: 7 } });
    for (const id of ['8', 'x', '-1', '1.5', '0x7', '7.0', '%207', '99999999999999999999']) {
      const reply = await send('POST', `/v1/outbox/refused/${id}/retry`);
      expect(reply).toMatchObject({ status: 404, body: { code: 'refused_entry_not_found' } });
    }
    expect(outbox.done).toEqual(['retry 7', 'discard 7', 'retry 8']);
  });

  it('is nothing to users', async () => {
    const outbox = new OneEntry();
    const { send } = httpApi({ outbox });
    const user = await userHeaders();
    for (const [method, path] of [
      ['GET', '/v1/outbox?messages=yes'],
      ['POST', '/v1/outbox/refused/7/retry'],
      ['POST', '/v1/outbox/refused/7/discard'],
    ] as const) {
      expect(await send(method, path, undefined, user)).toMatchObject({ status: 403, body: { code: 'server_only' } });
    }
    expect(outbox.done).toEqual([]);
  });

  it('that a back end does not have holds nothing', async () => {
    const { send } = httpApi();
    expect((await send('GET', '/v1/outbox')).body).toMatchObject({ waiting: { messages: 0 }, refused: [] });
    expect((await send('POST', '/v1/outbox/refused/7/retry')).status).toBe(404);
  });
});
