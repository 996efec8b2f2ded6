import { z } from 'zod';
import { conversation, type PendingMessage, pendingMessage } from '../../conversation/conversation.ts';
import type { RefusedEntry } from '../../conversation/outbox-report.ts';
import type { OutboxFile } from './outbox-file.ts';
import { json } from './outbox-rows.ts';

const refusedMessage = z.object({ append_id: z.string(), message: pendingMessage, acknowledged_at: z.number() });
const refusedRow = z.object({
  id: z.number(),
  conversation_id: z.string(),
  user_id: z.string().nullable(),
  head: json(conversation),
  ttl_seconds: z.number().nullable(),
  is_new: z.number(),
  code: z.string(),
  messages: json(z.array(refusedMessage)),
  message_count: z.number(),
  acknowledged_at: z.number(),
  refused_at: z.number(),
});

/** What the record did not take. All methods reject as `OutboxFile` does. */
export class OutboxRefused {
  readonly #file: OutboxFile;
  readonly #now: () => number;

  constructor(file: OutboxFile, now: () => number = Date.now) {
    this.#file = file;
    this.#now = now;
  }

  get count(): number {
    return z.object({ count: z.number() }).parse(this.#file.first('select count(*) as count from refused')).count;
  }

  entries(withMessages: boolean): RefusedEntry[] {
    const rows = z.array(refusedRow).parse(this.#file.all('select * from refused order by id'));
    return rows.map(({ id, conversation_id, user_id, code, is_new, messages, message_count, ...row }) => ({
      id,
      conversation_id,
      user_id,
      code,
      is_new: is_new === 1,
      message_count,
      acknowledged_at: iso(row.acknowledged_at),
      refused_at: iso(row.refused_at),
      ...(withMessages ? { messages: messages.map(({ message }): PendingMessage => message) } : {}),
    }));
  }

  /**
   * Puts what waits of a conversation, or these messages of it, among what was refused. Nothing, when it does not wait
   * any more.
   */
  async add(conversationId: string, code: string, positions: readonly number[] | 'all'): Promise<void> {
    const chosen = positions === 'all' ? null : JSON.stringify(positions);
    const isChosen = '(?2 is null or m.position in (select value from json_each(?2)))';
    await this.#file.write(() => {
      this.#file.run(
        `insert into refused
           (conversation_id, user_id, head, ttl_seconds, is_new, code, messages, message_count, acknowledged_at, refused_at)
         select c.id, c.user_id, c.head, c.ttl_seconds, c.is_new, ?3,
           (select json_group_array(json_object(
              'append_id', o.append_id, 'message', json(o.message), 'acknowledged_at', o.acknowledged_at
            )) from (select * from messages m where m.conversation_id = c.id and ${isChosen} order by m.position) o),
           (select count(*) from messages m where m.conversation_id = c.id and ${isChosen}),
           coalesce(
             (select min(m.acknowledged_at) from messages m where m.conversation_id = c.id and ${isChosen}), c.queued_at
           ),
           ?4
         from conversations c
         where c.id = ?1 and (?2 is null or exists (
           select 1 from messages m where m.conversation_id = c.id and ${isChosen}
         ))`,
        conversationId,
        chosen,
        code,
        this.#now(),
      );
      this.#file.run(`delete from messages as m where m.conversation_id = ?1 and ${isChosen}`, conversationId, chosen);
      this.#file.run(
        `delete from conversations where id = ?1
           and (?2 is null or is_new = 0)
           and not exists (select 1 from messages where conversation_id = ?1)`,
        conversationId,
        chosen,
      );
    });
  }

  /** Puts it back behind what waits; false when there is no such entry. What waits under the same name already is left. */
  async retry(id: number): Promise<boolean> {
    return this.#file.write(() => {
      const row = this.#file.first('select * from refused where id = ?', id);
      if (row === undefined) return false;
      const { conversation_id, user_id, head, ttl_seconds, is_new, messages, acknowledged_at } = refusedRow.parse(row);
      this.#file.run(
        `insert into conversations (id, user_id, head, ttl_seconds, is_new, alive_until, queued_at)
         values (?, ?, ?, ?, ?, null, ?) on conflict (id) do update set is_new = max(is_new, excluded.is_new)`,
        conversation_id,
        user_id,
        JSON.stringify(head),
        ttl_seconds,
        is_new,
        acknowledged_at,
      );
      for (const { append_id, message, acknowledged_at: acknowledged } of messages) {
        this.#file.run(
          `insert into messages (conversation_id, append_id, client_message_id, message, acknowledged_at)
           values (?, ?, ?, ?, ?) on conflict do nothing`,
          conversation_id,
          append_id,
          message.client_message_id,
          JSON.stringify(message),
          acknowledged,
        );
      }
      return this.#file.run('delete from refused where id = ?', id) > 0;
    });
  }

  /** Removes it for good; false when there is no such entry. */
  async discard(id: number): Promise<boolean> {
    const isDone = await this.#file.write(() => this.#file.run('delete from refused where id = ?', id) > 0);
    if (isDone) this.#file.forget();
    return isDone;
  }
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
