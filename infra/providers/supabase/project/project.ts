import { differences } from '../../plugin/difference.ts';
import { InitializationError, type ResourceContext, type ResourceDefinition } from '../../plugin/resource.ts';
import { projectUrlOf, type SupabaseConfig } from '../config.ts';
import { managementApiOf } from '../management/connection.ts';
import type { ManagementApi } from '../management/management-api.ts';
import type { ProjectWithDatabaseReply } from '../management/replies.ts';
import { sessionPoolerUrl } from '../management/session-pooler.ts';
import type { DocumentedResource } from '../schema/documented-resource.ts';
import { apiKeysOf } from './api-keys.ts';
import { findOrCreate } from './find-or-create.ts';
import {
  creationOf,
  type ProjectInputs,
  type ProjectOutputs,
  projectInputs,
  projectOutputs,
  type Stated,
  stated,
} from './properties.ts';
import { isGone, untilGone, untilHealthy } from './wait-until-healthy.ts';

type Context = ResourceContext<SupabaseConfig>;

const immovable = ['organization', 'region'] as const;

/** A project of the hosted Supabase, through the Management API. Its id is its ref. */
const definition: ResourceDefinition<ProjectInputs, ProjectOutputs, SupabaseConfig> = {
  token: 'supabase:index:Project',
  inputs: projectInputs,
  replaceOnChanges: immovable,
  // The replacement has the name by which an interrupted update finds its project: two of them would be taken for one.
  deleteBeforeReplace: true,
  secretOutputs: ['databaseUrl', 'publishableKey', 'secretKey', 'jwtSecret'],
  stableOutputs: [
    'ref',
    'organization',
    'region',
    'apiUrl',
    'jwksUrl',
    'databaseHost',
    'publishableKey',
    'secretKey',
    'jwtSecret',
  ],

  async diff({ id: ref, inputs: olds, outputs }, news) {
    const kept = { databasePassword: olds.databasePassword, allowDelete: olds.allowDelete };
    const wanted = { databasePassword: news.databasePassword, allowDelete: news.allowDelete, ...stated(news, news) };
    const found = differences(defined({ ...kept, ...stated(olds, news) }), defined(wanted), immovable);
    const another = news.ref !== undefined && news.ref !== ref;
    const changes = another ? [...found, { path: 'ref', kind: 'update' as const, replace: true }] : found;
    const replacing = changes.find(({ replace }) => replace);
    if (replacing && !outputs.allowDelete) {
      throw new Error(
        `${replacing.path} of project ${ref} can't be changed: the API has no way, and the project would be deleted with ` +
          'all that is in it and made anew. If that is wanted, set allowDelete: true, update, and then make the change',
      );
    }
    return changes;
  },

  async create(wanted, context) {
    const api = managementApiOf(context);
    if (wanted.ref !== undefined) {
      await refuseOther(api, wanted.ref, wanted);
      return { id: wanted.ref, outputs: await settle(api, wanted.ref, wanted, undefined, context) };
    }
    const ref = await findOrCreate(api, creationOf(wanted), context);
    try {
      return { id: ref, outputs: await settle(api, ref, wanted, undefined, context) };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // The project is there: it must not be forgotten, and the next update goes on with it.
      const outputs = { ref, ...stated(wanted, wanted), ...addressesOf(ref, context), allowDelete: wanted.allowDelete };
      throw new InitializationError({ id: ref, outputs, reasons: [error.message] }, { cause: error });
    }
  },

  async update(ref, old, wanted, context) {
    const api = managementApiOf(context);
    const { databasePassword: password } = wanted;
    const before = old.inputs.databasePassword;
    await untilHealthy(api, ref, context);
    if (password !== undefined && before !== undefined && password !== before) {
      await api.setDatabasePassword(ref, password);
    }
    return settle(api, ref, wanted, old.outputs, context);
  },

  async read(ref, { inputs: stored, outputs: known }, context) {
    const api = managementApiOf(context);
    const found = await api.getProject(ref);
    if (found === undefined || isGone(found.status)) return undefined;
    const isUp = found.status === 'ACTIVE_HEALTHY';
    if (!isUp) context.warn(`project ${ref} is ${found.status}`);
    const actual: Stated = {
      organization: found.organization_slug,
      name: found.name,
      region: found.region,
      instanceSize: await sizeOf(api, ref),
    };
    const inputs: ProjectInputs = stored
      ? { ...stored, ...stated(actual, stored) }
      : { ref, ...stated(actual, actual), allowDelete: false };
    // A project that is paused, or on its way up, tells neither keys nor pooler.
    const outputs = isUp || !known ? await outputsOf(api, found, inputs, known, context) : known;
    return { id: ref, inputs, outputs };
  },

  async delete(ref, { allowDelete, name }, context) {
    if (!allowDelete) {
      throw new Error(
        `project ${name} (${ref}) is not deleted: everything in it would be lost. To delete it all the same: set ` +
          'allowDelete: true, update, and delete again. To keep it, and have Pulumi forget it: ' +
          `pulumi state delete '${context.urn}'`,
      );
    }
    const api = managementApiOf(context);
    const found = await api.getProject(ref);
    if (isGone(found?.status)) return;
    if (found?.status !== 'GOING_DOWN') await api.deleteProject(ref);
    context.progress(`project ${ref} is being deleted`);
    await untilGone(api, ref, context);
  },
};

export const project: DocumentedResource<ProjectInputs, ProjectOutputs> = {
  definition,
  inputs: projectInputs,
  outputs: projectOutputs,
  description: `A project of the hosted Supabase: made, or with \`ref\` adopted, through the Management API.

- Needs an access token: \`accessToken\` of the provider, or \`SUPABASE_ACCESS_TOKEN\`.
- The update waits until the project and its services are healthy, and shows how far it is.
- **Adopted**: \`ref\` is enough. What else is given is then managed, what is not is left as it is; organization and
  region have to be those of the project. \`pulumi import supabase:index:Project <name> <ref>\` does the same.
- Name, instance size and database password are changed in place. Organization and region can't be: a change of them
  is refused, or with \`allowDelete\` deletes the project and makes another.
- It is not deleted unless \`allowDelete\` was set by an update before.
- A project without keys of the current kind (\`sb_publishable_…\`, \`sb_secret_…\`) gets a first one of each, named
  \`default\`; its old keys stay as they are.
- What was changed by hand shows in \`pulumi refresh\`.

**An update that breaks off** can be run again, wherever it did, and ends with one project. The API has nothing to mark a
project with before it has answered. So before one is made, and again when the answer to that is lost, the projects of
the organization are looked through for this name and region. One that appears between the two looks is the one that was
asked for. One that was there from the start was made by an earlier update that was killed before it could write its
state, if its database opens with this \`databasePassword\`: then it is taken over. If it does not, or nobody can tell, the
update stops and says so; nothing is made, and nothing of that project is touched. So give the resource a password that
nothing else has. The request that makes a project is never sent a second time by itself, except after a 429, which says
that it was not carried out.`,
  example: `const provider = new supabase.Provider('supabase', {
  accessToken: new pulumi.Config().requireSecret('supabaseAccessToken'),
});
const project = new supabase.Project(
  'project',
  {
    organization: 'my-organization',
    name: 'conversations',
    region: 'eu-central-1',
    databasePassword: new pulumi.Config().requireSecret('databasePassword'),
    instanceSize: 'micro',
  },
  { provider, protect: true },
);
const inProject = new supabase.Provider('in-project', {
  url: project.apiUrl,
  secretKey: project.secretKey,
  databaseUrl: project.databaseUrl.apply((url) => url ?? ''),
});
new supabase.Migrations('schema', { directory: 'migrations' }, { provider: inProject });`,
};

/** Brings the project to what is stated, from wherever it is. */
async function settle(
  api: ManagementApi,
  ref: string,
  wanted: ProjectInputs,
  known: ProjectOutputs | undefined,
  context: Context,
): Promise<ProjectOutputs> {
  let found = await untilHealthy(api, ref, context);
  if (wanted.name !== undefined && wanted.name !== found.name) {
    await api.renameProject(ref, wanted.name);
    found = { ...found, name: wanted.name };
  }
  if (wanted.instanceSize !== undefined) await resize(api, ref, wanted.instanceSize, context);
  return outputsOf(api, found, wanted, known, context);
}

async function resize(api: ManagementApi, ref: string, size: string, context: Context): Promise<void> {
  const actual = await sizeOf(api, ref);
  if (actual === size) return;
  if (size === 'nano') {
    throw new Error(`project ${ref} has instance size ${actual}, and the API has no way back to nano`);
  }
  context.progress(`project ${ref}: instance size ${actual} becomes ${size}`);
  await api.setInstanceSize(ref, size);
  await untilHealthy(api, ref, context);
}

/** A project without compute of its own is nano; a size that is not known here is none that could be stated. */
async function sizeOf(api: ManagementApi, ref: string): Promise<Stated['instanceSize']> {
  return projectInputs.shape.instanceSize.catch(undefined).parse((await api.getInstanceSize(ref)) ?? 'nano');
}

/** What a program states of an adopted project is managed; where it can't be changed, it has to be true. */
async function refuseOther(api: ManagementApi, ref: string, wanted: ProjectInputs): Promise<void> {
  const found = await api.getProject(ref);
  if (found === undefined) throw new Error(`there is no project ${ref}, or not for this access token`);
  const actual = { organization: found.organization_slug, region: found.region };
  for (const key of ['organization', 'region'] as const) {
    if (wanted[key] !== undefined && wanted[key] !== actual[key])
      throw new Error(`${key} of project ${ref} is ${actual[key]}, not ${wanted[key]}: state that, or leave it out`);
  }
}

async function outputsOf(
  api: ManagementApi,
  found: ProjectWithDatabaseReply,
  wanted: ProjectInputs,
  known: ProjectOutputs | undefined,
  context: Context,
): Promise<ProjectOutputs> {
  const { ref, name, region, organization_slug: organization, database } = found;
  const { databasePassword: password, instanceSize, allowDelete } = wanted;
  const { jwt_secret: jwtSecret } = await api.getPostgrest(ref);
  return {
    ref,
    organization,
    name,
    region,
    ...(instanceSize === undefined ? {} : { instanceSize }),
    allowDelete,
    ...addressesOf(ref, context),
    databaseHost: database.host,
    ...(password === undefined ? {} : { databaseUrl: await sessionPoolerUrl(api, ref, password) }),
    ...(await apiKeysOf(api, ref, known)),
    ...(jwtSecret === undefined ? {} : { jwtSecret }),
  };
}

function addressesOf(ref: string, { config }: Context) {
  const apiUrl = projectUrlOf(config, ref);
  return { apiUrl, jwksUrl: `${apiUrl}/auth/v1/.well-known/jwks.json` };
}

const defined = (object: object): object =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
