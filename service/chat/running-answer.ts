import type { Caller, Tier } from '../conversation/conversation.ts';
import type { ConversationService } from '../conversation/conversation-service.ts';
import type { Appended } from '../conversation/conversation-store.ts';
import {
  CallerGone,
  ClientMessageIdReused,
  ConversationError,
  RecordUnavailable,
  Stopping,
  UpstreamFailed,
  UpstreamTimeout,
} from '../conversation/errors.ts';
import type { JournalEntry } from './answer-journal.ts';
import type { AnswerKeeper, Turn } from './answer-keeper.ts';
import { DeltaLog, PiecedText } from './answer-text.ts';
import {
  type Answer,
  type AnswerMetadata,
  answerName,
  chatLimits,
  type IncompleteReason,
  modelParameters,
  type Usage,
} from './chat.ts';
import { type Question, storedAnswer, turnsUpTo } from './question.ts';
import type { UpstreamClient } from './upstream-client.ts';
import { fitted, type Turn as SpokenTurn } from './upstream-messages.ts';

/** An answer that is stored. */
export interface Answered {
  readonly answer: Answer;
  readonly durability: Appended['durability'];
  /** Undefined when it was read, not stored by now. */
  readonly tier: Tier | undefined;
  /** It was there before; the model was not asked. */
  readonly isReplayed: boolean;
}

/** One call to an upstream that came to its end. `status`: that of the answer, or the code of the error without one. */
export interface Completion {
  readonly upstream: string;
  readonly model: string;
  readonly milliseconds: number;
  readonly firstTokenMilliseconds: number | undefined;
  readonly usage: Usage | undefined;
  readonly status: string;
  /** Why an answer is incomplete, or there is none. */
  readonly cause: ConversationError | undefined;
}

export interface AnswerParts {
  readonly conversations: ConversationService;
  readonly keeper: AnswerKeeper;
  readonly client: UpstreamClient;
  /** Aborted when the service has to stop; what there is of the answer then is stored. */
  readonly signal: AbortSignal;
  readonly onCompletion: (completion: Completion) => void;
}

/** The answer is the service's own word: a user's token may have expired by the time it is there. */
const author: Caller = { kind: 'server' };

/** Appends an answer. Throws the errors of `append`. */
export function storeAnswer(
  conversations: ConversationService,
  { conversationId, name, content, metadata = undefined }: JournalEntry,
): Promise<Appended> {
  const message = { client_message_id: name, role: 'assistant' as const, content, metadata: { ...metadata } };
  return conversations.append(author, conversationId, [message]);
}

/** An answer under way. It goes on to its end whether anybody listens or not. */
export class RunningAnswer {
  /** What the model says, from the beginning. */
  readonly deltas = new DeltaLog();
  /** Rejects with the errors of `errors.ts`. */
  readonly result: Promise<Answered>;
  readonly #question: Question;
  readonly #parts: AnswerParts;
  readonly #content = new PiecedText();
  readonly #reasoning = new PiecedText();
  readonly #started = performance.now();
  #turns: { sent: number; dropped: number } = { sent: 0, dropped: 0 };
  #model: string;
  #firstTokenMs: number | undefined;
  #finishReason: string | undefined;
  #usage: Usage | undefined;

  constructor(question: Question, parts: AnswerParts) {
    this.#question = question;
    this.#parts = parts;
    this.#model = question.model;
    this.result = this.#run().finally(() => this.deltas.end());
  }

  async #run(): Promise<Answered> {
    const { conversations, keeper, signal } = this.#parts;
    const turn = await keeper.turn(this.#key, signal);
    try {
      const mayBeThere = this.#question.isRepeated || turn.hasWaited;
      const there = mayBeThere ? await storedAnswer(conversations, this.#question, signal) : undefined;
      if (there !== undefined) {
        if (typeof there.content === 'string') this.deltas.push('content', there.content);
        return replayed(there);
      }
      const failure = await this.#ask(await turnsUpTo(conversations, this.#question, signal), turn);
      return await this.#store(failure, turn);
    } catch (error) {
      throw error instanceof CallerGone && signal.aborted ? signal.reason : error;
    } finally {
      turn.end();
    }
  }

  /** Listens until the model has ended, or it has gone wrong: then it returns with what. */
  async #ask(turns: readonly SpokenTurn[], turn: Turn): Promise<ConversationError | IncompleteReason | undefined> {
    const { request, upstream, model } = this.#question;
    const { messages, dropped } = fitted(turns, upstream.max_request_bytes);
    this.#turns = { sent: messages.length, dropped };
    turn.follow(() => this.#entry({ status: 'incomplete', reason: 'process_ended' }));
    const asked = { ...modelParameters.parse(request), model, messages };
    try {
      for await (const piece of this.#parts.client.complete(asked, this.#parts.signal)) {
        this.#hear('reasoning', piece.reasoning);
        this.#hear('content', piece.content);
        this.#finishReason = piece.finishReason ?? this.#finishReason;
        this.#usage = piece.usage ?? this.#usage;
        this.#model = piece.model ?? this.#model;
        if (piece.done) return this.#saysNothing ? new UpstreamFailed(upstream.name, 'answered nothing') : undefined;
        if (this.#isTooLong) return 'too_long';
      }
    } catch (error) {
      if (!(error instanceof ConversationError)) throw error;
      return this.#finishReason === undefined ? error : undefined;
    } finally {
      this.deltas.push('content', this.#content.end());
    }
    return this.#finishReason === undefined ? new UpstreamFailed(upstream.name, 'broke off') : undefined;
  }

  #hear(type: 'content' | 'reasoning', piece: string | undefined): void {
    if (piece === undefined || piece === '') return;
    this.#firstTokenMs ??= this.#milliseconds;
    const text = type === 'content' ? this.#content : this.#reasoning;
    this.deltas.push(type, text.push(piece));
  }

  /** Stores what there is. Throws the failure when there is nothing. */
  async #store(failure: ConversationError | IncompleteReason | undefined, turn: Turn): Promise<Answered> {
    const cause = failure instanceof ConversationError ? failure : undefined;
    if (cause !== undefined && this.#content.text === '') {
      this.#observe(cause.code, cause);
      throw cause;
    }
    const reason = this.#reason(failure);
    const entry = this.#entry(reason === undefined ? { status: 'complete' } : { status: 'incomplete', reason });
    this.#observe(reason === undefined ? 'complete' : 'incomplete', cause);
    try {
      const { receipts, durability, tier } = await storeAnswer(this.#parts.conversations, entry);
      const [receipt] = receipts;
      if (receipt === undefined) throw new Error('an append without a receipt');
      const { seq, created_at, client_message_id } = receipt;
      const { content, metadata } = entry;
      const answer = {
        client_message_id,
        seq,
        created_at,
        role: 'assistant' as const,
        content,
        metadata: { ...metadata },
      };
      return { answer, durability, tier, isReplayed: false };
    } catch (error) {
      if (error instanceof RecordUnavailable) turn.leave(entry);
      if (!(error instanceof ClientMessageIdReused)) throw error;
      return this.#answerOfOthers(error);
    }
  }

  /** Another box was faster, or what we had before a long halt was stored already. */
  async #answerOfOthers(error: ClientMessageIdReused): Promise<Answered> {
    const there = await storedAnswer(this.#parts.conversations, this.#question, this.#parts.signal);
    if (there === undefined) throw error;
    return replayed(there);
  }

  #reason(failure: ConversationError | IncompleteReason | undefined): IncompleteReason | undefined {
    if (typeof failure === 'string') return failure;
    if (failure instanceof Stopping) return 'stopped';
    if (failure instanceof UpstreamTimeout) return 'upstream_timeout';
    if (failure !== undefined || this.#finishReason === 'network_error') return 'upstream_failed'; // network_error: GLM
    if (this.#finishReason === 'length' || this.#finishReason === 'content_filter') return this.#finishReason;
    return undefined;
  }

  #entry(status: Pick<AnswerMetadata, 'status' | 'reason'>): JournalEntry & { readonly metadata: AnswerMetadata } {
    const { clientMessageId, upstream } = this.#question;
    const keptReasoning = this.#reasoning.bytes <= chatLimits.keptReasoningBytes ? this.#reasoning.text : '';
    const metadata = {
      ...status,
      in_reply_to: clientMessageId,
      upstream: upstream.name,
      model: this.#model,
      ...(this.#finishReason === undefined ? {} : { finish_reason: this.#finishReason }),
      ...(this.#usage === undefined ? {} : { usage: this.#usage }),
      ms: this.#milliseconds,
      ...(this.#firstTokenMs === undefined ? {} : { first_token_ms: this.#firstTokenMs }),
      history: this.#turns,
      ...(keptReasoning === '' ? {} : { reasoning_content: keptReasoning }),
    };
    return { ...this.#key, content: this.#content.text, metadata };
  }

  #observe(status: Completion['status'], cause: ConversationError | undefined): void {
    this.#parts.onCompletion({
      upstream: this.#question.upstream.name,
      model: this.#question.model,
      milliseconds: performance.now() - this.#started,
      firstTokenMilliseconds: this.#firstTokenMs,
      usage: this.#usage,
      status,
      cause,
    });
  }

  get #key() {
    return { conversationId: this.#question.conversationId, name: answerName(this.#question.clientMessageId) };
  }

  get #milliseconds(): number {
    return Math.round(performance.now() - this.#started);
  }

  get #saysNothing(): boolean {
    return this.#finishReason === undefined && this.#content.text === '';
  }

  get #isTooLong(): boolean {
    return this.#content.bytes > chatLimits.answerBytes || this.#reasoning.bytes > chatLimits.reasoningBytes;
  }
}

function replayed(answer: Answer): Answered {
  return { answer, durability: answer.seq === null ? 'queued' : 'record', tier: undefined, isReplayed: true };
}
