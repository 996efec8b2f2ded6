import { z } from 'zod';
import type { Content, NamedMessage } from '../conversation/conversation.ts';
import { jsonBytes } from './chat.ts';
import { type UpstreamPart, upstreamPart } from './content-part.ts';

/** What of a stored message an upstream looks at. */
export type Turn = Pick<NamedMessage, 'role' | 'content' | 'metadata'>;

const toolCalls = z.array(
  z.object({
    id: z.string().min(1),
    type: z.literal('function'),
    function: z.object({ name: z.string(), arguments: z.string() }),
  }),
);
type ToolCalls = z.output<typeof toolCalls>;

/** A message as OpenAI's chat completions have it. */
export type UpstreamMessage =
  | { readonly role: 'system'; readonly content: string }
  | { readonly role: 'user'; readonly content: string | readonly UpstreamPart[] }
  | { readonly role: 'assistant'; readonly content: string | null; readonly tool_calls?: ToolCalls }
  | { readonly role: 'tool'; readonly content: string; readonly tool_call_id: string };

export interface Fitted {
  readonly messages: readonly UpstreamMessage[];
  /** Turns that were left out. */
  readonly dropped: number;
}

/**
 * Turns, oldest first and the question last, as an upstream takes them. The oldest are left out until the rest has no
 * more than `maxBytes`; a system message at the beginning stays. The question always goes along.
 */
export function fitted(turns: readonly Turn[], maxBytes: number): Fitted {
  const converted = turns.map(upstreamMessage);
  const [first] = converted;
  const lead = first?.role === 'system' && converted.length > 1 ? [first] : [];
  let bytes = lead.reduce((sum, message) => sum + jsonBytes(message), 0);
  let from = converted.length;
  while (from > lead.length) {
    const message = converted[from - 1];
    bytes += message === undefined ? 0 : jsonBytes(message);
    if (bytes > maxBytes && from < converted.length) break;
    from -= 1;
  }
  const kept = converted.slice(from).filter((message) => message !== undefined);
  const messages = [...lead, ...withWholeToolCalls(kept)];
  return { messages, dropped: turns.length - messages.length };
}

/** Undefined for what no upstream takes: content without any part that is known, a tool's result of no call. */
function upstreamMessage({ role, content, metadata }: Turn): UpstreamMessage | undefined {
  if (role === 'user') {
    const parts = knownParts(content);
    return parts.length === 0 ? undefined : { role, content: parts };
  }
  const text = textOf(content);
  if (role === 'tool') {
    const id = z.string().min(1).safeParse(metadata.tool_call_id);
    return id.success ? { role, content: text, tool_call_id: id.data } : undefined;
  }
  if (role === 'system') return text === '' ? undefined : { role, content: text };
  const calls = toolCalls.min(1).safeParse(metadata.tool_calls);
  if (calls.success) return { role, content: text === '' ? null : text, tool_calls: calls.data };
  return text === '' ? undefined : { role, content: text };
}

/** Upstreams refuse a call without its results, and a result without its call: where one is missing, both are left out. */
function withWholeToolCalls(messages: readonly UpstreamMessage[]): UpstreamMessage[] {
  const whole: UpstreamMessage[] = [];
  for (let index = 0; index < messages.length; index += 1) {
    const message = messages[index];
    if (message === undefined || message.role === 'tool') continue;
    if (message.role !== 'assistant' || message.tool_calls === undefined) {
      whole.push(message);
      continue;
    }
    const results = followingResults(messages, index + 1);
    const answered = new Set(results.map((result) => result.tool_call_id));
    if (message.tool_calls.every(({ id }) => answered.has(id))) {
      const wanted = new Set(message.tool_calls.map(({ id }) => id));
      whole.push(message, ...results.filter((result) => wanted.has(result.tool_call_id)));
    } else if (message.content !== null) {
      whole.push({ role: 'assistant', content: message.content });
    }
  }
  return whole;
}

function followingResults(messages: readonly UpstreamMessage[], from: number) {
  const results: Extract<UpstreamMessage, { role: 'tool' }>[] = [];
  for (const message of messages.slice(from)) {
    if (message.role !== 'tool') break;
    results.push(message);
  }
  return results;
}

function knownParts(content: Content): string | UpstreamPart[] {
  if (typeof content === 'string') return content;
  return content.flatMap((part) => {
    const known = upstreamPart.safeParse(part);
    return known.success ? [known.data] : [];
  });
}

function textOf(content: Content): string {
  const parts = knownParts(content);
  if (typeof parts === 'string') return parts;
  return parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}
