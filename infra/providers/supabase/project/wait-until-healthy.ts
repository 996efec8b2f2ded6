import { setTimeout as delay } from 'node:timers/promises';
import type { ManagementApi } from '../management/management-api.ts';
import type { ProjectWithDatabaseReply } from '../management/replies.ts';

export interface Waiting {
  readonly signal: AbortSignal;
  progress(message: string): void;
}

/** A project that does not get healthy on its own. */
export class ProjectNotHealthyError extends Error {
  override readonly name = 'ProjectNotHealthyError';
}

/** Milliseconds. A project takes a minute or two to be made; the API allows about two requests a second. */
const patience = { total: 15 * 60_000, firstPause: 250, longestPause: 5_000 };

const inDashboard = (ref: string) => `https://supabase.com/dashboard/project/${ref}`;

/** Statuses that nothing but a person changes, and what that person does. */
const standstills: Readonly<Record<string, (ref: string) => string>> = {
  INACTIVE: (ref) => `it is paused: restore it at ${inDashboard(ref)}`,
  PAUSING: (ref) => `it is being paused: restore it at ${inDashboard(ref)}`,
  PAUSE_FAILED: (ref) => `it could not be paused: see ${inDashboard(ref)}`,
  INIT_FAILED: (ref) => `it could not be set up: delete it at ${inDashboard(ref)} and run the update again`,
  RESTORE_FAILED: (ref) => `it could not be restored: see ${inDashboard(ref)}`,
  GOING_DOWN: () => 'it is being deleted',
  REMOVED: () => 'it was deleted',
};

export const isGone = (status: string | undefined) => status === undefined || status === 'REMOVED';

/** Resolves when the project and its services are up. Throws {@link ProjectNotHealthyError}. */
export async function untilHealthy(
  api: ManagementApi,
  ref: string,
  waiting: Waiting,
): Promise<ProjectWithDatabaseReply> {
  let last = 'nothing';
  const project = await poll(waiting, async () => {
    const found = await api.getProject(ref);
    if (found === undefined)
      throw new ProjectNotHealthyError(`there is no project ${ref}, or not for this access token`);
    const standstill = standstills[found.status]?.(ref);
    if (standstill !== undefined) throw new ProjectNotHealthyError(`project ${ref} can't be used: ${standstill}`);
    const missing = found.status === 'ACTIVE_HEALTHY' ? await unhealthyServices(api, ref) : [];
    const state = missing.length > 0 ? `waiting for ${missing.join(', ')}` : found.status;
    if (state !== last) waiting.progress(`project ${ref}: ${state}`);
    last = state;
    return found.status === 'ACTIVE_HEALTHY' && missing.length === 0 ? found : undefined;
  });
  if (project) return project;
  const minutes = patience.total / 60_000;
  throw new ProjectNotHealthyError(
    `project ${ref} is not healthy after ${minutes} minutes (${last}): the next update goes on waiting; see ${inDashboard(ref)}`,
  );
}

/** Resolves when the project is gone. Throws {@link ProjectNotHealthyError}. */
export async function untilGone(api: ManagementApi, ref: string, waiting: Waiting): Promise<void> {
  const gone = await poll(waiting, async () => (isGone((await api.getProject(ref))?.status) ? true : undefined));
  if (!gone) throw new ProjectNotHealthyError(`project ${ref} is not gone yet: see ${inDashboard(ref)}`);
}

async function unhealthyServices(api: ManagementApi, ref: string): Promise<string[]> {
  const health = await api.getHealth(ref);
  return health.filter(({ status }) => status !== 'ACTIVE_HEALTHY').map(({ name }) => name);
}

/** The API has no event to wait for. Undefined when patience ran out. */
async function poll<T>({ signal }: Waiting, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const end = Date.now() + patience.total;
  for (let pause = patience.firstPause; Date.now() < end; pause = Math.min(pause * 2, patience.longestPause)) {
    const found = await look();
    if (found !== undefined) return found;
    await delay(pause, undefined, { signal });
  }
  return undefined;
}
