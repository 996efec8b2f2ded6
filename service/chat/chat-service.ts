import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Caller, Tier } from '../conversation/conversation.ts';
import type { ConversationService } from '../conversation/conversation-service.ts';
import {
  Stopping,
  TooLarge,
  UnknownUpstream,
  UpstreamBusy,
  UpstreamFailed,
  UpstreamNotConfigured,
  UpstreamTimeout,
} from '../conversation/errors.ts';
import type { AnswerJournal } from './answer-journal.ts';
import { AnswerKeeper, keyName } from './answer-keeper.ts';
import { answerName, type ChatBegun, type ChatRequest, jsonBytes } from './chat.ts';
import type { Question } from './question.ts';
import { type Completion, RunningAnswer, storeAnswer } from './running-answer.ts';
import type { Upstream, Upstreams } from './upstream.ts';
import { UpstreamClient } from './upstream-client.ts';

export interface ChatServiceParts {
  readonly conversations: ConversationService;
  readonly upstreams: Upstreams;
  /** Undefined: answers die with the process. */
  readonly journal: AnswerJournal | undefined;
  readonly onCompletion: (completion: Completion) => void;
  /** Something went wrong that nobody waits for. */
  readonly onTrouble: (error: unknown) => void;
}

export interface Chat {
  readonly begun: ChatBegun;
  readonly tier: Tier;
  /** Of the conversation, with the message. */
  readonly lastSeq: number;
  readonly answer: RunningAnswer;
}

/** Lets models answer in conversations. */
export class ChatService {
  readonly #parts: ChatServiceParts;
  readonly #keeper: AnswerKeeper;
  readonly #clients: ReadonlyMap<string, UpstreamClient>;
  readonly #answers = new Map<string, RunningAnswer>();
  readonly #stop = new AbortController();
  #isClosing = false;

  constructor(parts: ChatServiceParts) {
    this.#parts = parts;
    this.#clients = new Map(parts.upstreams.upstreams.map((upstream) => [upstream.name, new UpstreamClient(upstream)]));
    this.#keeper = new AnswerKeeper({
      journal: parts.journal,
      store: (entry) => storeAnswer(parts.conversations, entry),
      onTrouble: parts.onTrouble,
    });
  }

  /**
   * Stores the message, and has it answered: the answer comes, and is stored, whether anybody waits for it or not. When
   * an answer to this message is there or under way, that is the one. Throws, with nothing stored, `UpstreamNotConfigured`,
   * `UnknownUpstream`, `TooLarge`, `Stopping`; else the errors of `create` and `append`.
   */
  async begin(caller: Caller, request: ChatRequest): Promise<Chat> {
    const chosen = this.#chosen(request);
    if (jsonBytes(request.message) > chosen.upstream.max_request_bytes) {
      throw new TooLarge('the message', chosen.upstream.max_request_bytes);
    }
    if (this.#isClosing) throw new Stopping();
    const clientMessageId = request.client_message_id ?? randomUUID();
    const { message: content, metadata } = request;
    const conversationId = await this.#conversationFor(caller, request);
    const message = { client_message_id: clientMessageId, role: 'user' as const, content, metadata };
    const appended = await this.#parts.conversations.append(caller, conversationId, [message]);
    const [receipt] = appended.receipts;
    if (receipt === undefined) throw new Error('an append without a receipt');
    const { seq, duplicate: isRepeated } = receipt;
    const { conversation, durability, tier } = appended;
    const answer = this.#answerTo({ caller, conversationId, clientMessageId, seq, isRepeated, request, ...chosen });
    const begun = {
      conversation_id: conversation.id,
      continuation_id: conversation.continuation_id,
      message: receipt,
      durability,
    };
    return { begun, tier, lastSeq: conversation.last_seq, answer };
  }

  /**
   * Begins no more, and lets answers that are under way end within `patience` ms. What there is of the others is then
   * stored as incomplete. To be called before the storage is closed.
   */
  async close(patience: number): Promise<void> {
    this.#isClosing = true;
    const ended = Promise.allSettled([...this.#answers.values()].map(({ result }) => result));
    const late = new AbortController();
    await Promise.race([ended, delay(patience, undefined, { signal: late.signal }).catch(() => undefined)]);
    late.abort();
    this.#stop.abort(new Stopping());
    await Promise.allSettled([...this.#answers.values()].map(({ result }) => result));
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
    await this.#keeper.close();
  }

  #chosen({ upstream: name, model }: ChatRequest): { upstream: Upstream; client: UpstreamClient; model: string } {
    const { upstreams, standard } = this.#parts.upstreams;
    if (standard === undefined) throw new UpstreamNotConfigured();
    const upstream = name === undefined ? standard : upstreams.find((each) => each.name === name);
    const client = upstream && this.#clients.get(upstream.name);
    if (upstream === undefined || client === undefined) {
      throw new UnknownUpstream(
        'upstream',
        upstreams.map((each) => each.name),
      );
    }
    const models = [upstream.model, ...upstream.models];
    if (model !== undefined && !models.includes(model)) throw new UnknownUpstream('model', models);
    return { upstream, client, model: model ?? upstream.model };
  }

  /** A message that is sent again without its conversation finds the one that it began. */
  async #conversationFor(caller: Caller, request: ChatRequest): Promise<string> {
    const { conversations } = this.#parts;
    const { conversation_id, continuation_id, client_message_id } = request;
    if (conversation_id !== undefined) return conversation_id.toLowerCase();
    const blank = { title: null, metadata: {} };
    const { conversation } =
      continuation_id === undefined
        ? await conversations.create(caller, blank, client_message_id && `chat:${client_message_id}`)
        : await conversations.continueOrCreate(caller, continuation_id.toLowerCase(), blank);
    return conversation.id;
  }

  #answerTo({ client, ...question }: Question & { readonly client: UpstreamClient }): RunningAnswer {
    const key = keyName({ conversationId: question.conversationId, name: answerName(question.clientMessageId) });
    const running = this.#answers.get(key);
    if (running !== undefined) return running;
    if (this.#stop.signal.aborted) throw new Stopping();
    const { conversations, onCompletion, onTrouble } = this.#parts;
    const signal = this.#stop.signal;
    const answer = new RunningAnswer(question, { conversations, keeper: this.#keeper, client, signal, onCompletion });
    this.#answers.set(key, answer);
    const follow = async () => {
      const [outcome] = await Promise.allSettled([answer.result]);
      this.#answers.delete(key);
      if (outcome.status === 'rejected' && !isOfUpstream(outcome.reason)) onTrouble(outcome.reason);
    };
    void follow();
    return answer;
  }
}

/** Whether `onCompletion` has heard of it, or it is no trouble. */
function isOfUpstream(error: unknown): boolean {
  return [UpstreamFailed, UpstreamTimeout, UpstreamBusy, Stopping].some((kind) => error instanceof kind);
}
