import { createRoute } from '@hono/zod-openapi';
import type { Logger } from 'pino';
import { z } from 'zod';
import { CallerGone } from '../../conversation/errors.ts';
import type { ConversationExport } from '../../conversation/export.ts';
import { type ConversationImport, importSummary } from '../../conversation/import.ts';
import { idOf, idParameter } from '../conversation-resource.ts';
import type { App, RequestContext } from '../environment.ts';
import { jsonLines, linesOf } from '../json-lines.ts';
import { Problem } from '../problem.ts';
import { plainReply, problems } from '../replies.ts';
import { query } from '../request-input.ts';

export interface TransferParts {
  readonly exporting: ConversationExport;
  readonly importing: ConversationImport;
  readonly log: Logger;
}

/** What JSON Lines are called as well. */
const otherName = 'application/x-ndjson';

const file = z
  .string()
  .meta({ description: 'A line for each conversation, and behind it one for each of its messages.' });
const ownerQuery = (whose: string) =>
  z.strictObject({ user_id: z.guid().toLowerCase().optional().meta({ description: whose }) });
const exportQuery = ownerQuery('Whose, if the server asks; left out: its own.');
const importQuery = ownerQuery('For whom, if the server asks; left out: for itself.');
const tags = ['export and import'];

const exportOne = createRoute({
  method: 'get',
  path: '/v1/conversations/{id}/export',
  tags,
  summary: 'Export a conversation',
  description:
    'JSON Lines, up to the last message at the beginning. A connection that breaks off has not sent all of it.',
  request: { params: idParameter },
  responses: { 200: fileReply('The file.'), ...problems(401, 404, 503) },
});

const exportAll = createRoute({
  method: 'get',
  path: '/v1/export',
  tags,
  summary: 'Export all conversations',
  description: 'Those of the caller that have not ended, newest first, each as it is exported by itself.',
  request: { query: exportQuery },
  responses: { 200: fileReply('The file.'), ...problems(400, 401, 403, 503) },
});

const importFile = createRoute({
  method: 'post',
  path: '/v1/import',
  tags,
  summary: 'Import conversations that were exported',
  description:
    'They get the ids, seqs, names and times that they had, and belong to the caller. What is wrong with a line is ' +
    'answered with its number: what is before it is imported by then. The same file can be sent again: what is there already stays.',
  request: {
    query: importQuery,
    body: { required: true, content: { [jsonLines]: { schema: file }, [otherName]: { schema: file } } },
  },
  responses: {
    200: plainReply(importSummary.meta({ id: 'Imported' }), 'What was imported.'),
    ...problems(400, 401, 403, 409, 413, 415, 422, 501, 503),
  },
});

export function addTransferRoutes(app: App, { exporting, importing, log }: TransferParts): void {
  app.openAPIRegistry.registerPath(exportOne);
  app.get(exportOne.getRoutingPath(), async (c) => {
    const id = idOf(c);
    return download(c, exporting.conversation(c.get('caller'), id, c.req.raw.signal), `conversation-${id}`, log);
  });

  app.openAPIRegistry.registerPath(exportAll);
  app.get(exportAll.getRoutingPath(), async (c) => {
    const { user_id: owner } = query(c, exportQuery);
    return download(c, exporting.all(c.get('caller'), owner, c.req.raw.signal), 'conversations', log);
  });

  app.openAPIRegistry.registerPath(importFile);
  app.post(importFile.getRoutingPath(), async (c) => {
    const { user_id: owner } = query(c, importQuery);
    expectJsonLines(c);
    return c.json(await importing.run(c.get('caller'), owner, linesOf(bodyOf(c))), 200);
  });
}

/** Sends the texts as they are asked for. An error before the first one is an answer; after it, the connection is cut. */
async function download(
  c: RequestContext,
  texts: AsyncGenerator<string, void>,
  name: string,
  log: Logger,
): Promise<Response> {
  const requestId = c.get('requestId');
  let next: IteratorResult<string, void> | undefined = await texts.next();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = next ?? (await texts.next());
          next = undefined;
          if (done) controller.close();
          else controller.enqueue(Buffer.from(value));
        } catch (error) {
          if (!(error instanceof CallerGone)) log.warn({ request_id: requestId, err: error }, 'an export ended early');
          controller.error(error);
        }
      },
      async cancel() {
        await texts.return();
      },
    },
    { highWaterMark: 0 },
  );
  return c.body(body, 200, {
    'content-type': jsonLines,
    'content-disposition': `attachment; filename="${name}.jsonl"`,
  });
}

function expectJsonLines(c: RequestContext): void {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if ((type !== jsonLines && type !== otherName) || encoding !== 'identity') {
    throw new Problem(415, 'unsupported_media_type', `the body has to be ${jsonLines}, without Content-Encoding`);
  }
}

async function* bodyOf(c: RequestContext): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const chunk of c.req.raw.body ?? []) yield chunk;
  } catch (cause) {
    throw new Problem(499, 'caller_gone', 'the connection was closed in the middle of the file', { cause });
  }
}

function fileReply(description: string) {
  return { ...plainReply(file, description), content: { [jsonLines]: { schema: file } } };
}
