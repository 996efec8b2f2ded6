import type { App } from './environment.ts';

/** Serves the OpenAPI 3.1 document, made of the very schemas that validate. To be added behind all routes. */
export function addOpenApiDocument(app: App, releaseId: string): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description:
      'The access token of a signed-in Supabase user: their own conversations. The secret key: the server itself.',
  });
  const document = JSON.stringify(
    app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: {
        title: 'Conversation service',
        version: releaseId,
        description: 'Keeps conversations and their messages. Every error is a problem document with a stable `code`.',
      },
      security: [{ bearer: [] }],
    }),
  );
  app.get('/openapi.json', (c) => c.body(document, 200, { 'content-type': 'application/json' }));
}
