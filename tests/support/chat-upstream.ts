import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { type Upstreams, upstreamsFile } from '../../service/chat/upstream.ts';

// What OpenAI's reference says of a request to /chat/completions, as far as a text chat goes. Unknown fields are refused.

const text = z.strictObject({ type: z.literal('text'), text: z.string().min(1) });
const userPart = z.discriminatedUnion('type', [
  text,
  z.strictObject({
    type: z.literal('image_url'),
    image_url: z.strictObject({ url: z.string().min(1), detail: z.enum(['auto', 'low', 'high']).optional() }),
  }),
  z.strictObject({
    type: z.literal('input_audio'),
    input_audio: z.strictObject({ data: z.string(), format: z.enum(['wav', 'mp3']) }),
  }),
  z.strictObject({
    type: z.literal('file'),
    file: z.strictObject({
      file_id: z.string().optional(),
      filename: z.string().optional(),
      file_data: z.string().optional(),
    }),
  }),
]);
const toolCall = z.strictObject({
  id: z.string().min(1),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string().min(1), arguments: z.string() }),
});
const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: z.union([z.string(), z.array(text).min(1)]) }),
  z.strictObject({ role: z.literal('user'), content: z.union([z.string(), z.array(userPart).min(1)]) }),
  z
    .strictObject({
      role: z.literal('assistant'),
      content: z.string().nullable(),
      tool_calls: z.array(toolCall).min(1).optional(),
    })
    .refine(({ content, tool_calls }) => content !== null || tool_calls !== undefined, 'says nothing'),
  z.strictObject({ role: z.literal('tool'), content: z.string(), tool_call_id: z.string().min(1) }),
]);

const completionBody = z
  .strictObject({
    model: z.string().min(1),
    messages: z.array(message).min(1),
    stream: z.literal(true),
    stream_options: z.strictObject({ include_usage: z.literal(true) }),
    temperature: z.number().min(0).max(2).optional(),
    top_p: z.number().min(0).max(1).optional(),
    max_tokens: z.int().min(1).optional(),
    presence_penalty: z.number().min(-2).max(2).optional(),
    frequency_penalty: z.number().min(-2).max(2).optional(),
    seed: z.int().optional(),
    stop: z.union([z.string(), z.array(z.string()).min(1).max(4)]).optional(),
  })
  .superRefine(({ messages }, context) => {
    let open = new Set<string>();
    for (const [index, each] of messages.entries()) {
      const fault = (what: string) => context.addIssue({ code: 'custom', path: ['messages', index], message: what });
      if (each.role === 'tool') {
        if (!open.delete(each.tool_call_id)) fault('is the result of no call before it');
        continue;
      }
      if (open.size > 0) fault('comes before the results of all calls');
      open = new Set(each.role === 'assistant' ? each.tool_calls?.map(({ id }) => id) : []);
    }
  });
export type CompletionBody = z.output<typeof completionBody>;

/** One reply, written as the test wants it. */
export interface ScriptedReply {
  readonly body: CompletionBody;
  readonly response: ServerResponse;
  /** Resolves when the service has closed the connection, or the reply has ended. */
  readonly closed: Promise<void>;
  /** Begins a stream of events. */
  begin(headers?: Record<string, string>): void;
  /** One chunk of a completion. */
  delta(delta: Record<string, unknown>, more?: Record<string, unknown>, choice?: Record<string, unknown>): void;
  /** The last chunks: a reason, the usage, [DONE]. */
  finish(reason?: string): void;
  /** The connection goes away. */
  cut(): void;
}

export type Script = (reply: ScriptedReply) => void | Promise<void>;

/** A provider of models on this machine that takes nothing but what OpenAI's API takes, and answers as it is told. */
export interface ChatUpstream {
  readonly url: string;
  readonly port: number;
  /** What was asked, in order. */
  readonly requests: CompletionBody[];
  /** What was wrong with requests; each got 400. */
  readonly faults: string[];
  /** How the next requests are answered, in this order; those behind them get "Hello, world". */
  next(...scripts: Script[]): void;
  /** The setting that leads here. */
  upstreams(changes?: Record<string, unknown>): Upstreams;
  /** What a file of CHAT_UPSTREAMS_FILE says that leads here. */
  file(changes?: Record<string, unknown>): string;
  close(): Promise<void>;
}

export const apiKey = 'sk-nobody-may-read-this-key';
export const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

/** `host`: where it listens; an address of this machine that containers reach is one, too. */
export async function startChatUpstream(host = '127.0.0.1'): Promise<ChatUpstream> {
  const requests: CompletionBody[] = [];
  const faults: string[] = [];
  let scripts: Script[] = [];
  const answer = async (incoming: IncomingMessage, response: ServerResponse) => {
    const read = Buffer.concat(await incoming.toArray()).toString();
    const fault = requestFault(incoming);
    const body = completionBody.safeParse(JSON.parse(read));
    if (fault !== undefined || !body.success) {
      faults.push(fault ?? z.prettifyError(body.error ?? new z.ZodError([])));
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"message":"bad request"}}');
      return;
    }
    requests.push(body.data);
    const [script = says('Hello, ', 'world')] = scripts;
    scripts = scripts.slice(1);
    await script(scripted(body.data, response));
  };
  const server = createServer((incoming, response) => {
    answer(incoming, response).catch((error: unknown) => {
      faults.push(String(error));
      incoming.socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://${host}:${port}/v1`;
  const file = (changes: Record<string, unknown> = {}) => {
    const local = { url, model: 'small', models: ['large'], api_key: apiKey, ...changes };
    return JSON.stringify({ default: 'local', upstreams: { local } });
  };
  return {
    url,
    port,
    requests,
    faults,
    next: (...more) => {
      scripts = [...scripts, ...more];
    },
    file,
    upstreams: (changes) => upstreamsFile.parse(JSON.parse(file(changes))),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function requestFault({ method, url, headers }: IncomingMessage): string | undefined {
  if (method !== 'POST' || url !== '/v1/chat/completions') return `${method} ${url}`;
  if (headers['content-type'] !== 'application/json') return `content-type ${headers['content-type']}`;
  if (headers.authorization !== `Bearer ${apiKey}`) return 'authorization';
  if (headers['content-length'] === undefined) return 'content-length';
  return undefined;
}

function scripted(body: CompletionBody, response: ServerResponse): ScriptedReply {
  const closed = new Promise<void>((resolve) => response.once('close', resolve));
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: body.model };
  const write = (data: unknown) => response.write(`data: ${JSON.stringify(data)}\n\n`);
  return {
    body,
    response,
    closed,
    begin: (headers = {}) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', ...headers });
      response.flushHeaders();
    },
    delta: (delta, more = {}, choice = {}) =>
      void write({ ...head, choices: [{ index: 0, delta, finish_reason: null, ...choice }], usage: null, ...more }),
    finish: (reason = 'stop') => {
      write({ ...head, choices: [{ index: 0, delta: {}, finish_reason: reason }], usage: null });
      write({ ...head, choices: [], usage });
      response.end('data: [DONE]\n\n');
    },
    cut: () => void response.socket?.destroy(),
  };
}

/** Says these pieces, and that it was all. */
export function says(...pieces: string[]): Script {
  return ({ begin, delta, finish }) => {
    begin();
    delta({ role: 'assistant', content: '' });
    for (const content of pieces) delta({ content });
    finish();
  };
}

/** Answers with a status. */
export function refuses(status: number, body: unknown = {}, headers: Record<string, string> = {}): Script {
  return ({ response }) => {
    response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** Answers 200 with these bytes, one write for each. */
export function writes(contentType: string, ...chunks: (string | Uint8Array)[]): Script {
  return async ({ response }) => {
    response.writeHead(200, { 'content-type': contentType });
    for (const chunk of chunks) {
      await new Promise<void>((resolve) => response.write(chunk, () => resolve()));
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  };
}
