import type { Hook } from '@hono/zod-openapi';
import type { RequestEnvironment } from './app.ts';
import { Problem } from './problem.ts';

/** What every route does with a request that is not as it describes: all that is wrong, by path. */
// biome-ignore lint/suspicious/noExplicitAny: the hook of routes of any shape, as the library has it
export const invalid: Hook<any, RequestEnvironment, any, any> = (result) => {
  if (result.success) return;
  const issues = result.error.issues.slice(0, 20).map(({ path, message }) => ({
    at: [result.target, ...path].map(String).join('.').slice(0, 200),
    message,
  }));
  throw new Problem('invalid_request', { issues });
};
