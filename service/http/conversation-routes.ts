import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import {
  appendedMessageSchema,
  conversationSchema,
  newConversationSchema,
  newMessageSchema,
  pageLimit,
  threadSchema,
} from '../conversation/conversation.ts';
import type { ConversationService } from '../conversation/conversation-service.ts';
import type { RequestEnvironment } from './app.ts';
import { problemSchema } from './problem.ts';
import { invalid } from './validation.ts';

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});
const json = <S extends z.ZodType>(schema: S, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});
const commonProblems = {
  400: problem('The request is not as described here'),
  401: problem('No valid bearer token'),
  413: problem('The request is too large'),
  415: problem('The request is not JSON'),
  422: problem('The record can not keep this'),
  503: problem('The record does not answer; nothing was acknowledged'),
};
const security = [{ bearer: [] }];
const path = z.object({ id: z.uuid().openapi({ description: 'Id of the conversation' }) });
const seq = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const createConversation = createRoute({
  method: 'post',
  path: '/v1/conversations',
  operationId: 'createConversation',
  security,
  request: { body: { required: true, content: { 'application/json': { schema: newConversationSchema } } } },
  responses: { 201: json(conversationSchema, 'Created'), ...commonProblems },
});

const readThread = createRoute({
  method: 'get',
  path: '/v1/conversations/{id}',
  operationId: 'readThread',
  security,
  request: {
    params: path,
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(pageLimit).default(pageLimit),
      before: seq.optional(),
      after: seq.optional(),
    }),
  },
  responses: {
    200: json(
      threadSchema,
      'The conversation and a page of its messages, oldest first; the newest unless said otherwise',
    ),
    ...commonProblems,
    404: problem('No such conversation, or not the caller’s, or expired'),
  },
});

const appendMessages = createRoute({
  method: 'post',
  path: '/v1/conversations/{id}/messages',
  operationId: 'appendMessages',
  security,
  request: {
    params: path,
    headers: z.object({
      'if-match': z
        .string()
        .regex(/^"?\d{1,15}"?$/, 'must be a seq')
        .optional()
        .openapi({ description: 'The `last_seq` that the caller knows: appends only where it is the newest' }),
    }),
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.strictObject({
            messages: z
              .array(newMessageSchema.partial({ client_message_id: true }))
              .min(1)
              .max(pageLimit),
          }),
        },
      },
    },
  },
  responses: {
    200: json(
      z.object({ durability: z.literal('record'), last_seq: z.int(), messages: z.array(appendedMessageSchema) }),
      'All were there already',
    ),
    201: json(
      z.object({ durability: z.literal('record'), last_seq: z.int(), messages: z.array(appendedMessageSchema) }),
      'Appended',
    ),
    ...commonProblems,
    404: problem('No such conversation, or not the caller’s, or expired'),
    412: problem('`If-Match` is not the newest; `messages` has those that the caller has not seen'),
  },
});

export function conversationRoutes(service: ConversationService) {
  const routes = new OpenAPIHono<RequestEnvironment>({ defaultHook: invalid });
  routes.openapi(createConversation, async (context) => {
    const call = { caller: context.var.caller, signal: context.req.raw.signal };
    const { tier, conversation } = await service.create(call, context.req.valid('json'));
    context.header('x-storage-tier', tier);
    context.header('location', `/v1/conversations/${conversation.id}`);
    return context.json(conversation, 201);
  });
  routes.openapi(readThread, async (context) => {
    const call = { caller: context.var.caller, signal: context.req.raw.signal };
    const { tier, thread } = await service.read(call, context.req.valid('param').id, context.req.valid('query'));
    context.header('x-storage-tier', tier);
    context.header('etag', `"${thread.conversation.last_seq}"`);
    return context.json(thread, 200);
  });
  routes.openapi(appendMessages, async (context) => {
    // Not the request's signal: an append that has begun is brought to its end, whether or not its client is still there.
    const call = { caller: context.var.caller, signal: new AbortController().signal };
    const ifMatch = context.req.valid('header')['if-match'];
    const expected = ifMatch === undefined ? undefined : Number(ifMatch.replaceAll('"', ''));
    const { messages } = context.req.valid('json');
    const { tier, appended } = await service.append(call, context.req.valid('param').id, messages, expected);
    context.header('x-storage-tier', tier);
    const reply = {
      durability: 'record' as const,
      last_seq: appended.conversation.last_seq,
      messages: appended.messages,
    };
    return appended.messages.every(({ duplicate }) => duplicate) ? context.json(reply, 200) : context.json(reply, 201);
  });
  return routes;
}
