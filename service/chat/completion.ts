import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { z } from 'zod';
import { type Usage, usage } from './chat.ts';

/** What an upstream said at once: any of it may be missing. `done`: it has said that this was all. */
export interface CompletionPiece {
  readonly content?: string;
  readonly reasoning?: string;
  readonly finishReason?: string;
  readonly usage?: Usage;
  readonly model?: string;
  readonly done?: true;
}

/** It is no completion. `what` says it in words of ours: those of the upstream may hold a key, or what somebody wrote. */
export class NoCompletion extends Error {
  override readonly name = 'NoCompletion';
  /** Whether the upstream said itself that it gives up, because it is asked for too much. */
  readonly isBusy: boolean;

  constructor(what: string, options: ErrorOptions & { isBusy?: boolean } = {}) {
    super(what, options);
    this.isBusy = options.isBusy ?? false;
  }
}

/** Characters of one event, or of an answer that comes in one piece. */
const longestEvent = 4 * 1024 * 1024;

const counted = usage.nullish().catch(undefined);
const text = z.union([z.string(), z.array(z.looseObject({ text: z.string().optional() }))]).nullish();
const said = z.object({ content: text, reasoning_content: text, reasoning: text.catch(undefined) }).nullish();
const choice = z.object({
  index: z.int().nullish(),
  delta: said,
  message: said,
  finish_reason: z.string().max(100).nullish(),
  usage: counted, // Moonshot counts here
});
const completion = z.object({
  model: z.string().max(200).nullish().catch(undefined),
  choices: z.array(choice).nullish(),
  usage: counted,
});

/** Codes that say what is wrong and nothing else. */
const knownErrors: ReadonlySet<unknown> = new Set([
  'content_filter',
  'content_policy_violation',
  'context_length_exceeded',
  'insufficient_quota',
  'invalid_api_key',
  'model_not_found',
  'rate_limit_exceeded',
  'server_error',
]);
const failure = z.object({
  error: z.union([z.string(), z.looseObject({ code: z.unknown().optional(), type: z.unknown().optional() })]),
});

/** Reads the body of a reply with status 200, as it comes. Throws {@link NoCompletion}. */
export async function* completionPieces(
  body: AsyncIterable<Uint8Array>,
  contentType: string,
): AsyncGenerator<CompletionPiece, void> {
  if (/\bjson\b/i.test(contentType)) {
    yield* wholeCompletion(await wholeText(body));
    return;
  }
  if (/\bhtml\b/i.test(contentType)) throw new NoCompletion('answered with a page instead of a completion');
  for await (const { data } of events(body)) {
    if (data === '') continue;
    if (data.trim() === '[DONE]') {
      yield { done: true };
      return;
    }
    yield pieceOf(json(data));
  }
}

/** What is known of the error in a body: one of a few codes, or nothing. */
export function errorCode(body: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined; // not every error is JSON, and nothing else of it may be shown
  }
  const found = failure.safeParse(value);
  if (!found.success || typeof found.data.error === 'string') return undefined;
  const { code, type } = found.data.error;
  return [code, type].find((each): each is string => typeof each === 'string' && knownErrors.has(each));
}

function* wholeCompletion(body: string): Generator<CompletionPiece, void> {
  const piece = pieceOf(json(body));
  if (piece.content === undefined && piece.finishReason === undefined) {
    throw new NoCompletion('answered with JSON that is no completion');
  }
  yield piece;
  yield { done: true };
}

async function* events(body: AsyncIterable<Uint8Array>): AsyncGenerator<EventSourceMessage, void> {
  const decoder = new TextDecoder();
  let ready: EventSourceMessage[] = [];
  let tooLong = false;
  const parser = createParser({
    maxBufferSize: longestEvent,
    onEvent: (event) => void ready.push(event),
    onError: ({ type }) => {
      tooLong ||= type === 'max-buffer-size-exceeded';
    },
  });
  const drain = () => {
    if (tooLong) throw new NoCompletion('sent an event beyond all measure');
    const found = ready;
    ready = [];
    return found;
  };
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* drain();
  }
  parser.feed(`${decoder.decode()}\n\n`); // some end without the empty line behind the last event
  yield* drain();
}

async function wholeText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > longestEvent) throw new NoCompletion('answered with more than any completion has');
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function json(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new NoCompletion('sent something that is not JSON', { cause });
  }
}

function pieceOf(value: unknown): CompletionPiece {
  const failed = failure.safeParse(value);
  if (failed.success) {
    const code = errorCode(JSON.stringify(value));
    const isBusy = code === 'rate_limit_exceeded';
    throw new NoCompletion(`answered with an error${code === undefined ? '' : ` (${code})`}`, { isBusy });
  }
  const found = completion.safeParse(value);
  if (!found.success) throw new NoCompletion('sent something that is no part of a completion', { cause: found.error });
  const { model, choices } = found.data;
  const first = choices?.find(({ index }) => index === undefined || index === null || index === 0);
  const words = first?.delta ?? first?.message;
  return compact({
    content: plain(words?.content),
    reasoning: plain(words?.reasoning_content ?? words?.reasoning),
    finishReason: first?.finish_reason,
    usage: found.data.usage ?? first?.usage,
    model,
  });
}

function plain(words: z.output<typeof text>): string | undefined {
  if (words === undefined || words === null) return undefined;
  return typeof words === 'string' ? words : words.map((part) => part.text ?? '').join('');
}

function compact(piece: { [Key in keyof CompletionPiece]: CompletionPiece[Key] | null | undefined }): CompletionPiece {
  return Object.fromEntries(Object.entries(piece).filter(([, value]) => value !== undefined && value !== null));
}
