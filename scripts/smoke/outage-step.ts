import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from './client.ts';
import type { Containers } from './containers.ts';
import type { SmokeConversation } from './smoke-conversation.ts';
import type { SmokeStep } from './steps.ts';

/** A message that is written while Supabase is away is acknowledged, waits, and arrives once, behind those before it. */
export function outageStep(
  client: Client,
  containers: Containers,
  conversation: SmokeConversation,
  patience: number,
): SmokeStep {
  return {
    name: 'Supabase away: a message waits, and arrives',
    suspect: 'service',
    run: async () => {
      await containers.stop('supabase');
      try {
        await conversation.add('Written while Supabase was away.', 202);
        await conversation.readBack();
      } finally {
        await containers.start('supabase');
      }
      await client.untilHealthy(patience);
      await untilArrived(client, conversation, patience);
      await containers.dropHotCopies();
      return conversation.readBack('supabase');
    },
  };
}

async function untilArrived(client: Client, { id, length }: SmokeConversation, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const { messages, pending } = await client.read(id);
    if (pending.length === 0 && messages.length === length) return;
    if (Date.now() > deadline) {
      throw new Error(`${pending.length} messages still wait, ${seconds} s after Supabase came back`);
    }
    await delay(50);
  }
}
