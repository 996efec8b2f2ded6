import { randomUUID } from 'node:crypto';
import { type Client, expectStatus } from './client.ts';
import type { Containers } from './containers.ts';

export interface SmokeStep {
  readonly name: string;
  /** Role of the container whose log tells most when the step fails. */
  readonly suspect: string;
  /** Returns the tier that answered, where one did. Throws with the reason when the promise is not kept. */
  run(): Promise<string | undefined>;
}

/** In the metadata of the smoke tests' conversations, and of no other: by it they are found and deleted. */
export const smokeMark = { 'conversation-kit-smoke-test': true };

/** Seconds that a restarted container has to be back. */
const patience = 60;

/**
 * What the kit promises, tried as a client would, in this order: written, then read back after each container in turn
 * was restarted, from the tier that has to have it.
 */
export function smokeSteps(client: Client, containers: Containers, embedded: boolean): SmokeStep[] {
  const marker = randomUUID();
  const messages = [
    { client_message_id: `${marker}-1`, role: 'user', content: 'Is anything lost?' },
    { client_message_id: `${marker}-2`, role: 'assistant', content: `Nothing is. ${marker}` },
  ];
  let id = '';

  const readBack = async (expectedTier?: string) => {
    const { tier, messages: found } = await client.read(id);
    const texts = found.map(({ content }) => content);
    const wanted = messages.map(({ content }) => content);
    if (JSON.stringify(texts) !== JSON.stringify(wanted)) {
      throw new Error(`read back ${found.length} messages that are not the ${messages.length} written`);
    }
    if (expectedTier && tier !== expectedTier)
      throw new Error(`answered by ${tier ?? 'no tier'}, not by ${expectedTier}`);
    return tier;
  };
  const restartThenRead = async (roles: readonly string[], expectedTier?: string) => {
    for (const role of roles) await containers.restart(role);
    await client.untilHealthy(patience);
    return readBack(expectedTier);
  };

  return [
    {
      name: 'nobody gets in without a key',
      suspect: 'service',
      run: async () => {
        await client.untilHealthy(patience);
        expectStatus(await client.send('POST', '/v1/conversations', {}, ''), 401);
        return undefined;
      },
    },
    {
      name: 'write a conversation',
      suspect: 'supabase',
      run: async () => {
        id = await client.create(smokeMark);
        return expectStatus(await client.append(id, messages), 201).tier;
      },
    },
    { name: 'read it back', suspect: 'redis', run: () => readBack('redis') },
    { name: 'restart the service, read', suspect: 'service', run: () => restartThenRead(['service'], 'redis') },
    { name: 'restart Redis, read from its log', suspect: 'redis', run: () => restartThenRead(['redis'], 'redis') },
    {
      name: 'empty Redis, read from Supabase',
      suspect: 'supabase',
      run: async () => {
        await containers.dropHotCopies();
        return readBack('supabase');
      },
    },
    { name: 'Redis is filled again', suspect: 'redis', run: () => readBack('redis') },
    ...(embedded
      ? [
          {
            name: 'restart PostgreSQL and Supabase, read',
            suspect: 'postgres',
            run: async () => {
              await containers.dropHotCopies();
              return restartThenRead(['postgres', 'supabase'], 'supabase');
            },
          },
        ]
      : []),
    {
      name: 'write the same again: nothing doubles',
      suspect: 'service',
      run: async () => {
        await client.append(id, messages).then((reply) => expectStatus(reply, 200));
        return readBack();
      },
    },
  ];
}
