import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { type Conversation, conversation, type Message, message } from '../../conversation/conversation.ts';
import type { ThreadWindow } from '../../conversation/thread-page.ts';

/** The newest part of a thread, as it was in the record at `checked` (ms since 1970) or later. */
export interface HotCopy {
  readonly conversation: Conversation;
  readonly window: ThreadWindow;
  readonly checked: number;
}

/** `busy`: somebody writes to the thread at this moment, and the copy may lack it. `torn`: damaged, or not of our format. */
export type Decoded = { readonly copy: HotCopy } | 'absent' | 'busy' | 'torn';

const format = 1;

const controlShape = z.object({
  format: z.literal(format),
  writers: z.record(z.string(), z.number()),
  last: z.int().min(0).optional(),
  count: z.int().min(0).optional(),
  earlier: z.boolean().optional(),
  checked: z.number().optional(),
  filler: z.string().optional(),
});

/** What a copy says of itself before its messages; empty when there is none, or when it is torn. */
export interface CopyHead {
  readonly conversation: Conversation | undefined;
  readonly hasWriter: boolean;
  readonly hasFiller: boolean;
}

/** What the list of a copy holds: control, conversation, messages. */
export function encodeCopy(
  head: Conversation,
  messages: readonly Message[],
  hasEarlier: boolean,
  checked: number,
): string[] {
  const encoded = messages.map(encode);
  const control = {
    format,
    writers: {},
    last: head.last_seq,
    count: messages.length,
    bytes: encoded.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    earlier: hasEarlier,
    checked,
  };
  return [JSON.stringify(control), encode(head), ...encoded];
}

/** A conversation or a message as it stands in a copy: the CRC-32 of its JSON as eight hexadecimal digits, and the JSON. */
export function encode(value: Conversation | Message): string {
  const json = JSON.stringify(value);
  return crc32(json).toString(16).padStart(8, '0') + json;
}

/** Never trusts what it reads: a copy that is not whole in every way is `torn`. `writers: 'ignore'` is never `busy`. */
export function decodeCopy(list: readonly string[], writers: 'respect' | 'ignore' = 'respect'): Decoded {
  const [first, head, ...rest] = list;
  if (first === undefined) return 'absent';
  const control = controlShape.safeParse(parsed(first)).data;
  if (control === undefined) return 'torn';
  if (writers === 'respect' && Object.keys(control.writers).length > 0) return 'busy';
  const { last, count, earlier, checked } = control;
  if (last === undefined) return 'absent';
  if (head === undefined || count !== rest.length || earlier === undefined || checked === undefined) return 'torn';
  const owner = conversation.safeParse(decode(head)).data;
  if (owner === undefined || owner.last_seq !== last) return 'torn';
  const { cleared_seq: cleared } = owner;
  // It has everything that was not cleared, or what is left out lies before it; and nothing that was cleared.
  if (last - count < cleared || earlier !== last - count > cleared || (count === 0 && earlier)) return 'torn';
  const messages = [];
  for (const [index, text] of rest.entries()) {
    const found = message.safeParse(decode(text)).data;
    if (found === undefined || found.seq !== last - count + 1 + index) return 'torn';
    messages.push({ message: found, bytes: text.length });
  }
  return { copy: { conversation: owner, window: { messages, hasEarlier: earlier }, checked } };
}

/** Takes the first two elements of the list. */
export function decodeCopyHead([first = '', head = '']: readonly string[]): CopyHead {
  const control = controlShape.safeParse(parsed(first)).data;
  return {
    conversation: control?.last === undefined ? undefined : conversation.safeParse(decode(head)).data,
    hasWriter: control !== undefined && Object.keys(control.writers).length > 0,
    hasFiller: control?.filler !== undefined,
  };
}

function decode(text: string): unknown {
  const json = text.slice(8);
  return Number.parseInt(text.slice(0, 8), 16) === crc32(json) ? parsed(json) : undefined;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // no shape fits that: it counts as torn
  }
}
