import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { answer, answerMetadata, chatBegun, chatRequest, delta } from '../../chat/chat.ts';
import type { Chat, ChatService } from '../../chat/chat-service.ts';
import type { Answered } from '../../chat/running-answer.ts';
import { ConversationError } from '../../conversation/errors.ts';
import { conversationProblem } from '../conversation-problem.ts';
import { type App, answeredBy } from '../environment.ts';
import { eventStream, type ServerSentEvent } from '../event-stream.ts';
import { Problem, problemBody, problemShape } from '../problem.ts';
import { conversationReply, problems } from '../replies.ts';
import { jsonBody } from '../request-input.ts';

const answerBody = answer
  .extend({ metadata: answerMetadata.meta({ id: 'AnswerMetadata' }) })
  .meta({ id: 'Answer', description: '`seq` is null while it waits for the database to come back.' });

const chatReply = chatBegun
  .extend({
    answer: answerBody,
    replayed: z.boolean().meta({ description: 'The answer was there already: the model was not asked.' }),
  })
  .meta({ id: 'ChatReply' });

const eventBody = z
  .union([
    z.object({ event: z.literal('conversation'), data: chatBegun }),
    z.object({ event: z.literal('delta'), data: delta }),
    z.object({ event: z.literal('done'), data: chatReply }),
    z.object({ event: z.literal('error'), data: problemShape }),
  ])
  .meta({
    id: 'ChatEvent',
    description:
      'First `conversation`, when the message is stored. Then `delta`s, whose texts of the same type belong together. ' +
      'Last `done`, when the answer is stored, or `error`, when there is none. Comments keep the connection alive.',
  });

const reply = conversationReply(chatReply, 'The answer, complete or not: `answer.metadata.status` tells.');

const chat = createRoute({
  method: 'post',
  path: '/v1/chat',
  tags: ['chat'],
  summary: 'Say something and have it answered',
  description:
    'Stores the message, asks a model with the thread, and stores its answer. When the client goes away, the answer is ' +
    'stored all the same; the same `client_message_id` again brings it.',
  request: {
    body: { required: true, content: { 'application/json': { schema: chatRequest.meta({ id: 'ChatRequest' }) } } },
  },
  responses: {
    200: { ...reply, content: { ...reply.content, 'text/event-stream': { schema: eventBody } } },
    202: conversationReply(chatReply, 'The same; message or answer wait on this box until the database is back.'),
    ...problems(400, 401, 404, 409, 413, 415, 422, 502, 503, 504),
  },
});

export function addChatRoutes(app: App, chats: ChatService): void {
  app.openAPIRegistry.registerPath(chat);
  app.post(chat.getRoutingPath(), async (c) => {
    const request = await jsonBody(c, chatRequest);
    const begun = await chats.begin(c.get('caller'), request);
    if (request.stream) {
      answeredBy(c, begun.tier);
      c.header('etag', `"${begun.lastSeq}"`);
      const events = eventStream(chatEvents(begun, c.get('requestId')));
      return c.body(events, 200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
    }
    const answered = await begun.answer.result;
    answeredBy(c, answered.tier ?? begun.tier);
    const body = replyOf(begun, answered);
    c.header('etag', `"${Math.max(begun.lastSeq, answered.answer.seq ?? 0)}"`);
    return c.json(body, body.durability === 'queued' ? 202 : 200);
  });
}

async function* chatEvents(begun: Chat, requestId: string): AsyncGenerator<ServerSentEvent, void> {
  yield { event: 'conversation', data: begun.begun };
  try {
    for await (const data of begun.answer.deltas.read()) yield { event: 'delta', data };
    yield { event: 'done', data: replyOf(begun, await begun.answer.result) };
  } catch (error) {
    yield { event: 'error', data: problemBody(problemOf(error), requestId) };
  }
}

function replyOf({ begun }: Chat, { answer: stored, durability, isReplayed }: Answered) {
  const isQueued = begun.durability === 'queued' || durability === 'queued';
  return { ...begun, durability: isQueued ? 'queued' : 'record', answer: stored, replayed: isReplayed };
}

function problemOf(error: unknown): Problem {
  if (error instanceof ConversationError) return conversationProblem(error);
  return new Problem(500, 'internal_error', 'this is a defect of the service; its log has more', { cause: error });
}
