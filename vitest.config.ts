import { defineConfig } from 'vitest/config';

/**
 * Four kinds of test, from fast to slow. `unit` does no I/O; `contract` runs one suite against every store;
 * `real` talks to real servers; `e2e` runs the whole kit as a person would.
 */
const project = (name: string, seconds: number, parallel: boolean) => ({
  test: {
    name,
    include: [`tests/${name}/**/*.test.ts`],
    testTimeout: seconds * 1000,
    hookTimeout: seconds * 1000,
    fileParallelism: parallel,
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', 30, true),
      project('contract', 120, false),
      project('real', 180, false),
      project('e2e', 1500, false),
    ],
  },
});
