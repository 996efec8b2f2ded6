import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe } from 'vitest';
import type { Caller, Message, NamedMessage } from '../../../service/conversation/conversation.ts';
import type {
  Appended,
  ConversationStore,
  PageRequest,
  ThreadRead,
} from '../../../service/conversation/conversation-store.ts';
import { type Backend, backends } from './backends.ts';

export const server: Caller = { kind: 'server' };
export const nobody = '00000000-0000-4000-8000-000000000000';
export const day = 86_400;
/** For calls that nobody gives up. */
export const running = new AbortController().signal;

/** A back end, a store on it, and what a suite does with them all the time. */
export interface Kit {
  readonly name: keyof typeof backends;
  readonly backend: Backend;
  readonly store: ConversationStore;
  /** The id of a new conversation. */
  begin(caller?: Caller, ttlSeconds?: number): Promise<string>;
  append(id: string, messages: NamedMessage[], caller?: Caller, expectedSeq?: number): Promise<Appended>;
  read(id: string, page?: Partial<PageRequest>, caller?: Caller): Promise<ThreadRead>;
}

/** The same suite for every back end, each with servers of its own. */
export function describeBackends(title: string, suite: (kit: Kit) => void): void {
  for (const name of ['memory', 'redis', 'supabase', 'dual', 'outbox'] as const) {
    describe(`${title} in ${name}`, () => {
      let backend: Backend | undefined;
      let store: ConversationStore | undefined;
      beforeAll(async () => {
        backend = await backends[name]();
        store = await backend.open();
      });
      afterAll(() => backend?.close());
      const kit: Kit = {
        name,
        get backend() {
          if (backend === undefined) throw new Error('the back end is not started yet');
          return backend;
        },
        get store() {
          if (store === undefined) throw new Error('the store is not open yet');
          return store;
        },
        begin: async (caller = server, ttlSeconds = day) =>
          (await kit.store.create(caller, { title: null, metadata: {} }, ttlSeconds)).conversation.id,
        append: (id, messages, caller = server, expectedSeq) => kit.store.append(caller, id, messages, expectedSeq),
        read: (id, page = {}, caller = server) => kit.store.read(caller, id, { limit: 100, ...page }, running),
      };
      suite(kit);
    });
  }
}

export function say(text: string, client_message_id: string = randomUUID()): NamedMessage {
  return { client_message_id, role: 'user', content: text, metadata: {} };
}

export function texts(messages: readonly Message[]): unknown[] {
  return messages.map(({ content }) => content);
}
