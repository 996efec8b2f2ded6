import { type Caller, type Message, message, type NamedMessage, type Tier } from '../../conversation/conversation.ts';
import type {
  Appended,
  ConversationStore,
  PageRequest,
  Probe,
  ThreadRead,
} from '../../conversation/conversation-store.ts';
import { ClientMessageIdReused, SeqConflict } from '../../conversation/errors.ts';
import { limits } from '../../conversation/limits.ts';
import { digestOf } from '../canonical-json.ts';
import type { RedisConnection } from './redis-connection.ts';
import { RedisLifecycle } from './redis-lifecycle.ts';
import { iso, storedOf, textsOfConversation } from './redis-record.ts';
import { RedisScript } from './redis-script.ts';
import * as scripts from './redis-store-scripts.ts';

const append = new RedisScript(scripts.append);
const read = new RedisScript(scripts.read);

const storedPart = message.pick({ client_message_id: true, role: true, content: true, metadata: true });

/** Conversations with Redis as their record: as durable as that Redis is. */
export class RedisStore extends RedisLifecycle implements ConversationStore {
  readonly probes: readonly Probe[];

  constructor(redis: RedisConnection) {
    super(redis);
    this.probes = [redis.probe];
  }

  tiers(): readonly Tier[] {
    return this.record.redis.readySince === undefined ? [] : ['redis'];
  }

  async append(
    caller: Caller,
    id: string,
    messages: readonly NamedMessage[],
    expectedSeq: number | undefined,
  ): Promise<Appended> {
    const given = messages.flatMap((each) => [
      each.client_message_id,
      digestOf([each.role, each.content]),
      JSON.stringify(each),
    ]);
    const args = [expectedSeq ?? '', limits.messagesPerPage, limits.pageBytes, ...given];
    const [status, ...answer] = await this.record.run(append, id, caller, args);
    if (status === 'reused') throw new ClientMessageIdReused(answer[0] ?? '', Number(answer[1]));
    if (status === 'conflict') {
      const [last, first, ...missed] = answer;
      throw new SeqConflict(Number(last), messagesOf(Number(first), missed));
    }
    const placed = answer.slice(textsOfConversation);
    const receipts = messages.map(({ client_message_id }, index) => ({
      client_message_id,
      seq: Number(placed[index * 3]),
      created_at: iso(placed[index * 3 + 1]),
      duplicate: placed[index * 3 + 2] === 'duplicate',
    }));
    return { ...storedOf(answer), durability: 'record', receipts };
  }

  async read(caller: Caller, id: string, page: PageRequest): Promise<ThreadRead> {
    const args = [page.limit, limits.pageBytes, page.before ?? '', page.after ?? ''];
    const [, ...answer] = await this.record.run(read, id, caller, args);
    const stored = storedOf(answer);
    const [first, ...elements] = answer.slice(textsOfConversation);
    const from = Number(first);
    const { last_seq: lastSeq, cleared_seq: clearedSeq } = stored.conversation;
    return {
      ...stored,
      messages: messagesOf(from, elements),
      has_earlier: from > clearedSeq + 1 && lastSeq > clearedSeq,
      has_later: from + elements.length <= lastSeq && lastSeq > clearedSeq,
      pending: [],
      confirmed: true,
    };
  }

  async close(): Promise<void> {}
}

function messagesOf(first: number, elements: readonly string[]): Message[] {
  return elements.map((element, index) => {
    const colon = element.indexOf(':');
    const { client_message_id, ...rest } = storedPart.parse(JSON.parse(element.slice(colon + 1)));
    return { seq: first + index, client_message_id, ...rest, created_at: iso(element.slice(0, colon)) };
  });
}
