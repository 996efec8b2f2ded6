import { z } from 'zod';
import { type ResilienceOptions, resilientFetch } from '../http/resilient-fetch.ts';
import { jsonOf, lostReply, ManagementRequestError, refusal } from './management-error.ts';
import {
  addonsReply,
  apiKeyReply,
  authReply,
  healthReply,
  loginRoleReply,
  networkReply,
  poolerReply,
  postgrestReply,
  projectReply,
  projectWithDatabaseReply,
  sslReply,
} from './replies.ts';

export type ManagementApi = ReturnType<typeof managementApi>;

export interface ProjectCreation {
  readonly organization: string;
  readonly name: string;
  readonly region: string;
  readonly databasePassword: string;
  readonly instanceSize?: string | undefined;
}

interface Call {
  /** What it is for, in the words of an error message. */
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  /** A POST that does the same when it is done twice. Every other method does. */
  readonly isRepeatable?: true;
  /** What is in the body and must not be shown. */
  readonly secrets?: readonly (string | undefined)[];
}

/** Services of a project that have to be up before it is used. */
const services = ['auth', 'db', 'pooler', 'rest', 'storage'] as const;

/**
 * The part of Supabase's Management API that a project and its settings are managed with. Every call throws
 * {@link ManagementRequestError}; none is done twice where that could make a second thing.
 */
export function managementApi(url: string, token: string, options: ResilienceOptions) {
  const limits = { timeout: 30_000, ...options };
  const repeating = resilientFetch(limits, () => true);
  const once = resilientFetch(limits, () => false);
  const { host } = new URL(url);

  async function call<T>({ what, method, path, body, isRepeatable, secrets = [] }: Call, schema: z.ZodType<T>) {
    const request = method === 'POST' && !isRepeatable ? once : repeating;
    const headers = {
      authorization: `Bearer ${token}`,
      accept: 'application/json',
      ...(body ? { 'content-type': 'application/json' } : {}),
    };
    let response: Response;
    try {
      response = await request(new URL(path, url), { method, headers, body: body ? JSON.stringify(body) : null });
    } catch (error) {
      options.signal.throwIfAborted();
      throw lostReply(what, host, error);
    }
    if (!response.ok) {
      throw await refusal(what, response, [token, ...secrets.filter((secret) => secret !== undefined)]);
    }
    const parsed = schema.safeParse(jsonOf(await response.text()));
    if (parsed.success) return parsed.data;
    // The issues name paths and expected types, not what was there.
    const unexpected = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the reply'}: ${message}`);
    throw new ManagementRequestError(`${what} failed: unexpected reply: ${unexpected.join('; ')}`, response.status);
  }

  const ofProject = (ref: string, rest = '') => `/v1/projects/${ref}${rest}`;
  const orUndefined = async <T>(reply: Promise<T>): Promise<T | undefined> => {
    try {
      return await reply;
    } catch (error) {
      if (error instanceof ManagementRequestError && error.isNotFound) return undefined;
      throw error;
    }
  };
  const get = <T>(ref: string, what: string, rest: string, schema: z.ZodType<T>) =>
    call({ what: `reading ${what} of project ${ref}`, method: 'GET', path: ofProject(ref, rest) }, schema);

  return {
    listProjects: () => call({ what: 'listing projects', method: 'GET', path: '/v1/projects' }, z.array(projectReply)),

    /** Undefined when there is no such project. */
    getProject: (ref: string) =>
      orUndefined(
        call({ what: `reading project ${ref}`, method: 'GET', path: ofProject(ref) }, projectWithDatabaseReply),
      ),

    /** Done once: whoever gets no answer has to look whether the project is there. */
    createProject: ({ organization, name, region, databasePassword, instanceSize }: ProjectCreation) =>
      call(
        {
          what: `making project ${name}`,
          method: 'POST',
          path: '/v1/projects',
          body: {
            organization_slug: organization,
            name,
            db_pass: databasePassword,
            region_selection: { type: 'specific', code: region },
            ...(instanceSize === undefined ? {} : { desired_instance_size: instanceSize }),
          },
          secrets: [databasePassword],
        },
        projectReply,
      ),

    renameProject: (ref: string, name: string) =>
      call({ what: `renaming project ${ref}`, method: 'PATCH', path: ofProject(ref), body: { name } }, z.unknown()),

    /** A project that is gone counts as deleted. */
    deleteProject: (ref: string) =>
      orUndefined(call({ what: `deleting project ${ref}`, method: 'DELETE', path: ofProject(ref) }, z.unknown())),

    getHealth: (ref: string) =>
      get(ref, 'the health', `/health?${services.map((name) => `services=${name}`).join('&')}`, healthReply),

    /** With what the keys are: `reveal`. */
    listApiKeys: (ref: string) => get(ref, 'the API keys', '/api-keys?reveal=true', z.array(apiKeyReply)),

    createApiKey: (ref: string, type: 'publishable' | 'secret', name: string) =>
      call(
        {
          what: `making a ${type} key of project ${ref}`,
          method: 'POST',
          path: ofProject(ref, '/api-keys?reveal=true'),
          body: { type, name },
        },
        apiKeyReply,
      ),

    /** Without the prefix of the API's variants; undefined for a project without compute of its own. */
    getInstanceSize: async (ref: string): Promise<string | undefined> => {
      const { selected_addons } = await get(ref, 'the instance size', '/billing/addons', addonsReply);
      return selected_addons.find(({ type }) => type === 'compute_instance')?.variant.id.replace(/^ci_/, '');
    },

    setInstanceSize: (ref: string, size: string) =>
      call(
        {
          what: `changing the instance size of project ${ref}`,
          method: 'PATCH',
          path: ofProject(ref, '/billing/addons'),
          body: { addon_type: 'compute_instance', addon_variant: `ci_${size}` },
        },
        z.unknown(),
      ),

    setDatabasePassword: (ref: string, password: string) =>
      call(
        {
          what: `changing the database password of project ${ref}`,
          method: 'PATCH',
          path: ofProject(ref, '/database/password'),
          body: { password },
          secrets: [password],
        },
        z.unknown(),
      ),

    /** The connection pooler of the primary database. */
    getPooler: async (ref: string) => {
      const poolers = await get(ref, 'the pooler', '/config/database/pooler', poolerReply);
      return poolers.find(({ database_type }) => database_type === 'PRIMARY');
    },

    /** A role to log in with for some minutes; each one made stands beside those before. */
    createLoginRole: (ref: string) =>
      call(
        {
          what: `making a login role of project ${ref}`,
          method: 'POST',
          path: ofProject(ref, '/cli/login-role'),
          body: { read_only: false },
          isRepeatable: true,
        },
        loginRoleReply,
      ),

    getPostgrest: (ref: string) => get(ref, 'the API settings', '/postgrest', postgrestReply),

    updatePostgrest: (ref: string, changes: { readonly db_schema?: string; readonly max_rows?: number }) =>
      call(
        {
          what: `changing the API settings of project ${ref}`,
          method: 'PATCH',
          path: ofProject(ref, '/postgrest'),
          body: changes,
        },
        postgrestReply,
      ),

    getAuth: (ref: string) => get(ref, 'the Auth settings', '/config/auth', authReply),

    updateAuth: (ref: string, changes: Readonly<Record<string, string | boolean | number>>) =>
      call(
        {
          what: `changing the Auth settings of project ${ref}`,
          method: 'PATCH',
          path: ofProject(ref, '/config/auth'),
          body: changes,
          secrets: Object.entries(changes).flatMap(([key, value]) => (key.endsWith('_secret') ? [String(value)] : [])),
        },
        authReply,
      ),

    getSsl: (ref: string) => get(ref, 'the SSL enforcement', '/ssl-enforcement', sslReply),

    setSsl: (ref: string, database: boolean) =>
      call(
        {
          what: `changing the SSL enforcement of project ${ref}`,
          method: 'PUT',
          path: ofProject(ref, '/ssl-enforcement'),
          body: { requestedConfig: { database } },
        },
        sslReply,
      ),

    getNetwork: (ref: string) => get(ref, 'the network restrictions', '/network-restrictions', networkReply),

    setNetwork: (ref: string, allowed: { readonly dbAllowedCidrs: string[]; readonly dbAllowedCidrsV6: string[] }) =>
      call(
        {
          what: `changing the network restrictions of project ${ref}`,
          method: 'POST',
          path: ofProject(ref, '/network-restrictions/apply'),
          body: allowed,
          isRepeatable: true,
        },
        networkReply,
      ),
  };
}
