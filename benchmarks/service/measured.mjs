/**
 * Times the operations of a store, each in the process that runs it. An operation that does not bring what was asked
 * for is an error, and no time.
 *
 * @typedef {object} Operations
 * @property {(thread: string, messages: number) => Promise<void>} prepare Makes a thread of so many messages.
 * @property {(thread: string) => Promise<void>} append One message more.
 * @property {(thread: string, count: number) => Promise<number>} read The newest `count` messages; how many came.
 * @property {() => Promise<void>} close
 */

/** @param {Operations} operations */
export function measured(operations) {
  return {
    prepare: operations.prepare,
    /** Milliseconds of each of so many appends, one after the other. @returns {Promise<number[]>} */
    async append(thread, times) {
      const taken = [];
      for (let turn = 0; turn < times; turn += 1) taken.push(await milliseconds(() => operations.append(thread)));
      return taken;
    },
    /** Milliseconds of each read of the newest `count` messages, one after the other. @returns {Promise<number[]>} */
    async read(threads, count) {
      const taken = [];
      for (const thread of threads) {
        let found = 0;
        taken.push(
          await milliseconds(async () => {
            found = await operations.read(thread, count);
          }),
        );
        if (found !== count) throw new Error(`read ${found} messages instead of ${count}`);
      }
      return taken;
    },
    /** Appends per second when every one of the threads is written to at once. @returns {Promise<number>} */
    async write(threads, each) {
      const taken = await milliseconds(() =>
        Promise.all(
          threads.map(async (thread) => {
            for (let turn = 0; turn < each; turn += 1) await operations.append(thread);
          }),
        ),
      );
      return (threads.length * each * 1000) / taken;
    },
  };
}

async function milliseconds(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
