import { apiSteps } from './api-steps.ts';
import { type Client, expectStatus } from './client.ts';
import type { Containers } from './containers.ts';
import { outageStep } from './outage-step.ts';
import { SmokeConversation } from './smoke-conversation.ts';

export interface SmokeStep {
  readonly name: string;
  /** Role of the container whose log tells most when the step fails. */
  readonly suspect: string;
  /** Returns the tier that answered, where one did. Throws with the reason when the promise is not kept. */
  run(): Promise<string | undefined>;
}

/** Seconds that a restarted container has to be back. */
const patience = 60;

/**
 * What the kit promises, tried as a client would, in this order: what the service can do, then, with `restarts`, what
 * was written is read back after each container in turn was restarted, from the tier that has to have it.
 */
export function smokeSteps(
  client: Client,
  containers: Containers,
  { embedded, restarts }: { embedded: boolean; restarts: boolean },
): SmokeStep[] {
  const conversation = new SmokeConversation(client);
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
    { name: 'write a conversation', suspect: 'supabase', run: () => conversation.begin() },
    { name: 'read it back', suspect: 'redis', run: () => conversation.readBack('redis') },
    ...apiSteps(client, conversation),
    ...(restarts ? restartSteps(client, containers, conversation, embedded) : []),
    {
      name: 'write the same again: nothing doubles',
      suspect: 'service',
      run: () => conversation.writeAgain(),
    },
  ];
}

function restartSteps(
  client: Client,
  containers: Containers,
  conversation: SmokeConversation,
  embedded: boolean,
): SmokeStep[] {
  const restartThenRead = async (roles: readonly string[], expectedTier?: string) => {
    for (const role of roles) await containers.restart(role);
    await client.untilHealthy(patience);
    return conversation.readBack(expectedTier);
  };
  return [
    { name: 'restart the service, read', suspect: 'service', run: () => restartThenRead(['service'], 'redis') },
    { name: 'restart Redis, read from its log', suspect: 'redis', run: () => restartThenRead(['redis'], 'redis') },
    {
      name: 'empty Redis, read from Supabase',
      suspect: 'supabase',
      run: async () => {
        await containers.dropHotCopies();
        return conversation.readBack('supabase');
      },
    },
    { name: 'Redis is filled again', suspect: 'redis', run: () => conversation.readBack('redis') },
    // What is hosted is not ours to stop.
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
          outageStep(client, containers, conversation, patience),
        ]
      : []),
  ];
}
