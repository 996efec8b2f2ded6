import { z } from 'zod';
import { type Client, expectStatus } from './client.ts';
import type { SmokeConversation } from './smoke-conversation.ts';
import type { SmokeStep } from './steps.ts';

const titled = z.object({ title: z.string() });
const listed = z.object({ conversations: z.array(z.object({ id: z.string() })) });
const found = z.object({ hits: z.array(z.object({ conversation_id: z.string() })) });
const forked = z.object({ id: z.string() });
const document = z.object({ document: z.unknown() });
const problem = z.object({ code: z.string() });

/** What the service can do with a conversation besides writing and reading it. */
export function apiSteps(client: Client, conversation: SmokeConversation): SmokeStep[] {
  const at = (suffix = '') => `/v1/conversations/${conversation.id}${suffix}`;
  return [
    {
      name: 'rename it, find it in the list and by a word',
      suspect: 'supabase',
      run: async () => {
        const renamed = expectStatus(await client.send('PATCH', at(), { title: 'Smoke test' }), 200);
        if (titled.parse(renamed.body).title !== 'Smoke test') throw new Error('it did not take its new title');
        const list = expectStatus(await client.send('GET', '/v1/conversations?limit=100'), 200);
        const ids = listed.parse(list.body).conversations.map(({ id }) => id);
        if (!ids.includes(conversation.id)) throw new Error('it is not in the list');
        const search = expectStatus(await client.send('GET', `/v1/search?q=${conversation.marker}`), 200);
        if (!found.parse(search.body).hits.some(({ conversation_id: id }) => id === conversation.id))
          throw new Error('the search does not find it');
        // A change takes the hot copy away; this puts one back.
        await conversation.readBack();
        return search.tier;
      },
    },
    {
      name: 'export it, fork it, delete and undelete the fork',
      suspect: 'supabase',
      run: async () => {
        const file = expectStatus(await client.send('GET', at('/export')), 200);
        const lines = String(file.body).trim().split('\n').length;
        if (lines !== conversation.length + 1)
          throw new Error(`its export has ${lines} lines, not ${conversation.length + 1}`);
        const fork = expectStatus(await client.send('POST', at('/fork'), { seq: 1 }), 201);
        const { id } = forked.parse(fork.body);
        expectStatus(await client.send('DELETE', `/v1/conversations/${id}`), 200);
        expectStatus(await client.send('GET', `/v1/conversations/${id}`), 404);
        expectStatus(await client.send('POST', `/v1/conversations/${id}/undelete`), 200);
        return expectStatus(await client.send('GET', `/v1/conversations/${id}`), 200).tier;
      },
    },
    {
      name: 'hear a message as it is written',
      suspect: 'service',
      run: async () => {
        const subscription = client.subscribe(conversation.id, conversation.length);
        try {
          const first = await subscription.next();
          if (first.type !== 'subscribed') throw new Error(`heard "${first.type}" instead of "subscribed"`);
          const tier = await conversation.add('Who hears this?', 201);
          const heard = await subscription.next();
          if (heard.type !== 'message' || heard.message?.seq !== conversation.length)
            throw new Error(`heard "${heard.type}" instead of message ${conversation.length}`);
          return tier;
        } finally {
          subscription.close();
        }
      },
    },
    {
      name: 'keep a document of a thread',
      suspect: 'supabase',
      run: async () => {
        const path = `/v1/threads/${conversation.marker}`;
        expectStatus(await client.send('PUT', path, { document: { step: 1 }, ttl_seconds: 600 }), 200);
        const read = expectStatus(await client.send('GET', path), 200);
        const { document: kept } = document.parse(read.body);
        if (JSON.stringify(kept) !== '{"step":1}') throw new Error('another document came back');
        expectStatus(await client.send('DELETE', path), 200);
        expectStatus(await client.send('GET', path), 404);
        return read.tier;
      },
    },
    {
      name: 'chat answers, or says that no model is configured',
      suspect: 'service',
      run: async () => {
        const input = { conversation_id: conversation.id, upstream: 'there-is-none-of-this-name', message: 'Hello?' };
        const { status, body } = await client.send('POST', '/v1/chat', input);
        const { code } = problem.parse(body);
        if (status !== 503 && status !== 400 && status !== 422) throw new Error(`it answered ${status} ${code}`);
        return undefined;
      },
    },
    {
      name: 'metrics and more are for the box, not for the world',
      suspect: 'caddy',
      run: async () => {
        expectStatus(await client.send('GET', '/metrics'), 404);
        expectStatus(await client.send('GET', '/openapi.json'), 200);
        return expectStatus(await client.send('GET', '/v1/stats'), 200).tier;
      },
    },
  ];
}
