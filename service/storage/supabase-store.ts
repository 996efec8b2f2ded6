import { createClient, type PostgrestError, type SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import {
  appendOutcomeSchema,
  type Caller,
  conversationSchema,
  type NewConversation,
  type NewMessage,
  type Page,
  type Tier,
  threadSchema,
} from '../conversation/conversation.ts';
import {
  type Call,
  type ConversationStore,
  StoreRefusedError,
  StoreUnavailableError,
  type TierHealth,
} from '../conversation/conversation-store.ts';
import type { SupabaseConnection } from './supabase-connection.ts';

export interface SupabaseSettings {
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
}

/**
 * The record: PostgreSQL behind Supabase's API. One call per operation, each a function of the migrations. A user's calls
 * carry the user's own token, so that row-level security decides, not this code.
 */
export class SupabaseStore implements ConversationStore {
  readonly tiers: readonly Tier[] = ['supabase'];
  readonly #settings: SupabaseSettings;
  readonly #connection: SupabaseConnection;
  readonly #ttlSeconds: number;
  readonly #server: SupabaseClient;

  constructor(settings: SupabaseSettings, connection: SupabaseConnection, ttlSeconds: number) {
    this.#settings = settings;
    this.#connection = connection;
    this.#ttlSeconds = ttlSeconds;
    this.#server = createClient(settings.url, settings.secretKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      global: { fetch: connection.fetch },
    });
  }

  async create(call: Call, { title, metadata }: NewConversation) {
    const data = await this.#rpc(call, 'create_conversation', { title, metadata, ttl_seconds: this.#ttlSeconds });
    return { tier: 'supabase' as const, conversation: conversationSchema.parse(data) };
  }

  async append(call: Call, id: string, messages: readonly NewMessage[], expectedSeq: number | undefined) {
    const given = { conversation_id: id, messages, expected_seq: expectedSeq ?? null };
    return {
      tier: 'supabase' as const,
      result: appendOutcomeSchema.parse(await this.#rpc(call, 'append_messages', given)),
    };
  }

  async read(call: Call, id: string, { limit, before, after }: Page) {
    const data = await this.#rpc(call, 'read_thread', {
      conversation_id: id,
      page_size: limit,
      before_seq: before ?? null,
      after_seq: after ?? null,
    });
    const thread = threadSchema.nullable().parse(data);
    return thread ? { tier: 'supabase' as const, thread } : undefined;
  }

  async health(signal: AbortSignal): Promise<TierHealth[]> {
    const started = performance.now();
    const { error } = await this.#server.from('conversations').select('id').limit(1).abortSignal(signal);
    const response_time_ms = Math.round(performance.now() - started);
    if (!error) return [{ tier: 'supabase', status: 'healthy', response_time_ms }];
    return [{ tier: 'supabase', status: 'unhealthy', response_time_ms, reason: error.message }];
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #rpc({ caller, signal }: Call, name: string, given: object): Promise<unknown> {
    const { data, error, status } = await this.#as(caller).rpc(name, given).abortSignal(signal);
    if (!error) return data;
    throw failure(error, status);
  }

  #as(caller: Caller): SupabaseClient {
    if (caller.kind === 'server') return this.#server;
    return createClient(this.#settings.url, this.#settings.publishableKey, {
      accessToken: async () => caller.token,
      global: { fetch: this.#connection.fetch },
    });
  }
}

const clientFault = z.string().regex(/^(22|23)/); // data exceptions and violated constraints

function failure(error: PostgrestError, status: number): Error {
  if (status >= 400 && status < 500 && clientFault.safeParse(error.code).success) {
    return new StoreRefusedError(error.message, { cause: error });
  }
  return new StoreUnavailableError('supabase', error);
}
