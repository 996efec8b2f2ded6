import { HumanMessage } from '@langchain/core/messages';
import { emptyCheckpoint, uuid6 } from '@langchain/langgraph-checkpoint';
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres';
import { textOf } from '../message.mjs';
import { serve } from './serve.mjs';

// One checkpoint for each message, as a graph leaves one behind for each step. The state is in the hands of whoever
// appends, as it is in a graph that runs: reading it first is not counted.
const saver = PostgresSaver.fromConnString(process.env.DATABASE_URL, { schema: 'langgraph' });
await saver.setup();
const threads = new Map();

async function put(thread) {
  const { messages, config } = threads.get(thread);
  const checkpoint = {
    ...emptyCheckpoint(),
    id: uuid6(messages.length),
    ts: new Date().toISOString(),
    channel_values: { messages },
    channel_versions: { messages: messages.length },
  };
  const metadata = { source: 'loop', step: messages.length, parents: {} };
  const next = await saver.put(config, checkpoint, metadata, { messages: messages.length });
  threads.set(thread, { messages, config: { configurable: { ...next.configurable, checkpoint_ns: '' } } });
}

await serve({
  async prepare(thread, count) {
    const messages = Array.from({ length: count }, (_, index) => new HumanMessage(textOf(index + 1)));
    threads.set(thread, { messages, config: { configurable: { thread_id: thread, checkpoint_ns: '' } } });
    if (count > 0) await put(thread);
  },
  async append(thread) {
    const known = threads.get(thread);
    known.messages = [...known.messages, new HumanMessage(textOf(known.messages.length + 1))];
    await put(thread);
  },
  async read(thread, count) {
    const found = await saver.getTuple({ configurable: { thread_id: thread, checkpoint_ns: '' } });
    return found.checkpoint.channel_values.messages.slice(-count).length;
  },
  close: () => saver.end(),
});
