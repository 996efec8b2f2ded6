import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest, the longest first: whatever is begun last runs alone in the end. */
const long = [
  'e2e/newcomer',
  'e2e/',
  'hosted-killed',
  'edge/leaks',
  'large-thread',
  'providers-supabase/project.test',
  '-in-pulumi',
  'providers-docker/pulumi',
  '/processes',
  'change-feed',
  'chat/service',
  'contract/',
];

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = long.findIndex((name) => moduleId.includes(name));
      return index === -1 ? long.length : index;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

/**
 * Four kinds of test, from fast to slow. `unit` does no I/O; `contract` runs one suite against every store;
 * `real` talks to real servers; `e2e` runs the whole kit as a person would. `unit` goes first; the files of the others
 * run side by side, each with servers, ports and names of its own.
 */
const project = (name: string, seconds: number, group: number) => ({
  test: {
    name,
    include: [`tests/${name}/**/*.test.ts`],
    testTimeout: seconds * 1000,
    hookTimeout: seconds * 1000,
    // Two even on a small machine: most of them wait most of the time.
    maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
    sequence: { groupOrder: group },
  },
});

export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    projects: [project('unit', 30, 1), project('contract', 120, 2), project('real', 180, 2), project('e2e', 900, 2)],
  },
});
