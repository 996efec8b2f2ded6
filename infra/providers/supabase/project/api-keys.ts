import type { ManagementApi } from '../management/management-api.ts';
import { ManagementRequestError } from '../management/management-error.ts';
import type { ApiKeyReply } from '../management/replies.ts';

export interface ApiKeys {
  readonly publishableKey: string;
  readonly secretKey: string;
}

type KeyType = 'publishable' | 'secret';

/** What the dashboard calls the first key of a type, too. */
const keyName = 'default';

/**
 * The project's keys of the current kind, those known from before as long as they are valid. A project of the time
 * before there were any gets its first.
 */
export async function apiKeysOf(
  api: ManagementApi,
  ref: string,
  known: Partial<ApiKeys> | undefined,
): Promise<ApiKeys> {
  const keys = await api.listApiKeys(ref);
  return {
    publishableKey: chosen(keys, 'publishable', known?.publishableKey) ?? (await firstKey(api, ref, 'publishable')),
    secretKey: chosen(keys, 'secret', known?.secretKey) ?? (await firstKey(api, ref, 'secret')),
  };
}

function chosen(keys: readonly ApiKeyReply[], type: KeyType, known: string | undefined): string | undefined {
  const age = (key: ApiKeyReply) => `${key.name === keyName ? 0 : 1}${key.inserted_at ?? ''}`;
  const candidates = keys.filter((key) => key.type === type && key.api_key);
  const [first] = candidates.toSorted((a, b) => (age(a) < age(b) ? -1 : 1));
  return (candidates.find((key) => key.api_key === known) ?? first)?.api_key ?? undefined;
}

/** A key that two updates made at once, or whose reply was lost, is found by its name. */
async function firstKey(api: ManagementApi, ref: string, type: KeyType): Promise<string> {
  try {
    const { api_key: key } = await api.createApiKey(ref, type, keyName);
    if (key) return key;
  } catch (error) {
    if (!(error instanceof ManagementRequestError) || !error.isUncertain) throw error;
    const made = chosen(await api.listApiKeys(ref), type, undefined);
    if (made === undefined) throw error;
    return made;
  }
  throw new Error(`the ${type} key of project ${ref} was made, and not shown: the access token may lack that right`);
}
