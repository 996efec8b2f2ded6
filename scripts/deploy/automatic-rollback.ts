import { redeploy } from '../releases/redeploy.ts';
import { liveUpdate, readUpdates, type Update } from '../releases/updates.ts';
import { stackOutputs } from '../stack.ts';
import { openStackClient } from '../stack-client.ts';

/** What is live before a deploy; undefined before the first one. Throws where the backend does not tell. */
export async function updateBefore(stack: string): Promise<Update | undefined> {
  return liveUpdate(await readUpdates(stack));
}

/** Seconds that the release from before has to be healthy within, once it is deployed again. */
const patience = 90;

/**
 * Deploys what was live before, and makes sure that it answers. Throws, saying why and what can be done, when it can't
 * be gone back to, or does not answer.
 *
 * @param holding the open file of the deploys' lock
 * @returns the release that serves
 */
export async function rollBackTo(stack: string, before: Update, holding: number): Promise<string> {
  await redeploy(stack, before, { holding });
  const outputs = await stackOutputs(stack);
  const client = await openStackClient(outputs);
  try {
    await client.untilHealthy(patience);
  } finally {
    await client.close();
  }
  return outputs.releaseId;
}
