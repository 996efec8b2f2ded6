import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import type { App } from '../environment.ts';
import { problems } from '../replies.ts';
import { clientMessage, serverMessage, subprotocol } from './socket-messages.ts';
import type { SocketServer } from './socket-server.ts';

const socketRoute = createRoute({
  method: 'get',
  path: '/ws',
  tags: ['websocket'],
  summary: 'Open a WebSocket',
  description:
    'Messages of the conversations that the client subscribes to, as they come. Both sides send JSON texts: the client ' +
    '`SocketClientMessage`, the service `SocketServerMessage`. `docs/websocket.md` has more.',
  request: {
    headers: z.object({
      'sec-websocket-protocol': z
        .string()
        .optional()
        .meta({
          description: `\`${subprotocol}\`. A browser, which can set no Authorization, sends \`${subprotocol}, bearer.<token>\`.`,
        }),
    }),
  },
  responses: {
    101: { description: 'From here on the WebSocket protocol is spoken.' },
    ...problems(400, 401, 426, 503),
  },
});

/** To be added behind the authentication. */
export function addSocketRoute(app: App, sockets: SocketServer): void {
  // No route refers to them, so that they are added by themselves.
  for (const [name, shape] of Object.entries({
    SocketClientMessage: clientMessage,
    SocketServerMessage: serverMessage,
  })) {
    const { $schema: _, ...schema } = JSON.parse(JSON.stringify(z.toJSONSchema(shape, { io: 'input' })));
    app.openAPIRegistry.registerComponent('schemas', name, schema);
  }
  app.openAPIRegistry.registerPath(socketRoute);
  app.get(socketRoute.path, (c) => {
    sockets.admit(c.req.raw, c.get('caller'));
    c.set('answered', 101); // by the socket server
    return c.body(null, 204);
  });
}
