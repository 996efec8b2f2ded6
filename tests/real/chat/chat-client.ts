import { createParser } from 'eventsource-parser';
import { collected } from '../../support/collected.ts';

export interface ChatClientReply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a reply holds is what the tests are about
  readonly body: any;
}

export interface HeardEvent {
  readonly event: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: what an event holds is what the tests are about
  readonly data: any;
}

/** A stream of events as a client has it. */
export interface ChatStream {
  readonly status: number;
  readonly headers: Headers;
  /** Comments so far. */
  readonly comments: string[];
  /** The next event; undefined behind the last. */
  next(): Promise<HeardEvent | undefined>;
  /** All that follow. */
  rest(): Promise<HeardEvent[]>;
  /** Goes away. */
  vanish(): void;
}

/** Talks to /v1/chat as one caller. */
export function chatClient(url: string, token: string) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const ask = (body: object, signal?: AbortSignal) =>
    fetch(`${url}/v1/chat`, { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null });
  return {
    async post(body: object): Promise<ChatClientReply> {
      const response = await ask(body);
      return { status: response.status, headers: response.headers, body: await response.json() };
    },
    async stream(body: object): Promise<ChatStream> {
      const gone = new AbortController();
      const response = await ask({ ...body, stream: true }, gone.signal);
      const comments: string[] = [];
      const events = eventsOf(response, comments);
      const next = async () => (await events.next()).value ?? undefined;
      return {
        status: response.status,
        headers: response.headers,
        comments,
        next,
        rest: () => collected(events),
        vanish: () => gone.abort(),
      };
    },
    async thread(id: string) {
      const response = await fetch(`${url}/v1/conversations/${id}`, { headers });
      // biome-ignore lint/suspicious/noExplicitAny: what a reply holds is what the tests are about
      return (await response.json()) as any;
    },
    async say(id: string, ...messages: object[]): Promise<void> {
      const body = JSON.stringify({ messages });
      const response = await fetch(`${url}/v1/conversations/${id}/messages`, { method: 'POST', headers, body });
      if (!response.ok) throw new Error(await response.text());
    },
    async begin(): Promise<string> {
      const response = await fetch(`${url}/v1/conversations`, { method: 'POST', headers, body: '{}' });
      return ((await response.json()) as { id: string }).id;
    },
  };
}

export type ChatClient = ReturnType<typeof chatClient>;

async function* eventsOf(response: Response, comments: string[]): AsyncGenerator<HeardEvent, undefined> {
  let ready: HeardEvent[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => void ready.push({ event, data: JSON.parse(data) }),
    onComment: (comment) => void comments.push(comment),
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* ready;
    ready = [];
  }
  return undefined;
}

/** What the deltas of one type say together. */
export function said(events: readonly HeardEvent[], type = 'content'): string {
  return events
    .filter(({ event, data }) => event === 'delta' && data.type === type)
    .map(({ data }) => data.text)
    .join('');
}

/** Waits until the condition holds; the time-out of the test is the limit. */
export async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
