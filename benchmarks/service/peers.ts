import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Candidate } from './candidate.ts';
import type { Servers } from './servers.ts';

/** What a user would pick instead, each at the version that `peers/` pins, in a process of its own. */
const peers = [
  { name: 'LangGraph PostgresSaver', file: 'langgraph.mjs', store: 'pg', longestThread: 1_000 },
  { name: 'Mastra PostgresStore', file: 'mastra.mjs', store: 'pg', longestThread: 10_000 },
  { name: 'Mastra RedisStore', file: 'mastra.mjs', store: 'redis', longestThread: 1_000 },
  { name: 'OpenAI Agents SQLAlchemySession', file: 'openai_agents.py', store: 'pg', longestThread: 10_000 },
  { name: 'OpenAI Agents RedisSession', file: 'openai_agents.py', store: 'redis', longestThread: 10_000 },
] as const;

const answer = z.union([z.object({ error: z.string() }), z.object({ result: z.unknown() })]);
const times = z.array(z.number());

/** `python` is that of the environment with `peers/requirements.txt`. */
export function peerCandidates(python: string): ((servers: Servers) => Promise<Candidate>)[] {
  return peers.map((peer) => async (servers) => {
    const program = join(import.meta.dirname, 'peers', peer.file);
    const child = spawn(peer.file.endsWith('.py') ? python : process.execPath, [program, peer.store], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH, DATABASE_URL: servers.postgres.url, REDIS_URL: servers.redis.url },
    });
    const call = caller(peer.name, child);
    return {
      name: peer.name,
      kind: 'peer',
      durable: peer.store === 'pg' ? 'committed in PostgreSQL' : 'in Redis, on disk within a second',
      longestThread: peer.longestThread,
      prepare: async (thread, messages) => {
        await call('prepare', thread, messages);
      },
      append: async (thread, count) => times.parse(await call('append', thread, count)),
      read: async (threads, count) => times.parse(await call('read', threads, count)),
      write: async (threads, each) => z.number().parse(await call('write', threads, each)),
      close: async () => {
        child.stdin?.end();
        if (child.exitCode === null) await once(child, 'exit');
      },
    };
  });
}

function caller(name: string, { stdin, stdout }: ChildProcess) {
  if (stdin === null || stdout === null) throw new Error(`${name} has no pipes`);
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async (call: string, ...args: unknown[]): Promise<unknown> => {
    stdin.write(`${JSON.stringify({ call, args })}\n`);
    const { value } = await lines.next();
    if (value === undefined) throw new Error(`${name} ended in the middle of ${call}`);
    const parsed = answer.parse(JSON.parse(value));
    if ('error' in parsed) throw new Error(`${name} failed to ${call}: ${parsed.error}`);
    return parsed.result;
  };
}
