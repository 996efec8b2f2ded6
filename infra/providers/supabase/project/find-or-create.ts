import type { ResourceContext } from '../../plugin/resource.ts';
import type { SupabaseConfig } from '../config.ts';
import { codeOf, connect, DatabaseUnreachableError, wrongPassword } from '../database/database.ts';
import { parseDatabaseUrl } from '../database/database-url.ts';
import type { ManagementApi, ProjectCreation } from '../management/management-api.ts';
import { ManagementRequestError } from '../management/management-error.ts';
import type { ProjectReply } from '../management/replies.ts';
import { sessionPoolerUrl } from '../management/session-pooler.ts';
import { isGone, untilHealthy } from './wait-until-healthy.ts';

type Context = Pick<ResourceContext<SupabaseConfig>, 'signal' | 'progress'>;

/** A project of this name is there, and it can't be told, or is not so, that this resource made it. */
export class ProjectExistsError extends Error {
  override readonly name = 'ProjectExistsError';
}

/**
 * Makes a project, once: the API has neither an idempotency key nor anything else to mark a project with before its
 * reply is there. So a project of this name, organization and region is looked for before, and when the reply to the
 * request is lost. One that shows up in this very call was made by it. One that was there before was made by an earlier
 * update that broke off before its state was written, if its database opens with the password of this resource: that
 * is looked up, and else the project is left alone. Returns its ref.
 */
export async function findOrCreate(api: ManagementApi, wanted: ProjectCreation, context: Context): Promise<string> {
  const before = await namesakes(api, wanted);
  if (before.length > 0) return interrupted(api, wanted, before, context);
  try {
    return (await api.createProject(wanted)).ref;
  } catch (error) {
    if (!(error instanceof ManagementRequestError) || !error.isUncertain) throw error;
    const [made, another] = await namesakes(api, wanted);
    if (made === undefined || another !== undefined) throw error;
    context.progress(`the request to make project ${wanted.name} was answered with an error, but made ${made.ref}`);
    return made.ref;
  }
}

async function namesakes(api: ManagementApi, wanted: ProjectCreation): Promise<ProjectReply[]> {
  const projects = await api.listProjects();
  return projects.filter(
    ({ organization_slug, name, region, status }) =>
      organization_slug === wanted.organization &&
      name === wanted.name &&
      region === wanted.region &&
      !isGone(status) &&
      status !== 'GOING_DOWN',
  );
}

async function interrupted(
  api: ManagementApi,
  wanted: ProjectCreation,
  found: readonly ProjectReply[],
  context: Context,
): Promise<string> {
  for (const { ref } of found) {
    await untilHealthy(api, ref, context);
    if (!(await opensWith(api, ref, wanted.databasePassword, context))) continue;
    context.progress(`project ${wanted.name} is there already, from an update that broke off: it is ${ref}`);
    return ref;
  }
  const refs = found.map(({ ref }) => ref).join(', ');
  throw new ProjectExistsError(
    `organization ${wanted.organization} has a project ${wanted.name} in ${wanted.region} already (${refs}), and its ` +
      `database does not open with this databasePassword: to manage it from here, set ref; to make another, give another name`,
  );
}

/** Whether the database's password is this one. Throws when that can't be told. */
async function opensWith(api: ManagementApi, ref: string, password: string, context: Context): Promise<boolean> {
  const address = parseDatabaseUrl(await sessionPoolerUrl(api, ref, password));
  try {
    const database = await connect(address, { ...context, connectTimeout: 15, startupTimeout: 30 });
    await database.close();
    return true;
  } catch (error) {
    if (!(error instanceof DatabaseUnreachableError)) throw error;
    if (codeOf(error.cause) === wrongPassword) return false;
    throw new ProjectExistsError(
      `there is a project ${ref} of this name, organization and region already, and it can't be told whether an update ` +
        'that broke off made it: run the update again, or set ref to manage it from here',
      { cause: error },
    );
  }
}
