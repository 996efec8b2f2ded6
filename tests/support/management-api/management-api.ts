import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import * as hosted from './hosted-projects.ts';
import * as requests from './requests.ts';

/** What happens to one call instead of its reply; `after` its effect, or `before` there is any. */
export type Fault =
  | { readonly kind: 'cut'; readonly when: 'before' | 'after' }
  | { readonly kind: 'half-reply' }
  | { readonly kind: 'hang'; readonly when: 'before' | 'after' }
  | { readonly kind: 'slow'; readonly milliseconds: number }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly when: 'before' | 'after';
      readonly retryAfter?: string;
    };

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

interface Call<Body> {
  readonly project: hosted.HostedProject;
  readonly body: Body;
  readonly query: Readonly<Record<string, string[]>>;
}

interface Route {
  readonly method: string;
  /** With `{ref}` for a project. */
  readonly path: string;
  readonly query?: z.ZodType;
  answer(call: {
    project: hosted.HostedProject | undefined;
    body: unknown;
    query: Record<string, string[]>;
  }): Promise<Reply>;
}

/**
 * Supabase's Management API on loopback, as far as a project and its settings go: it keeps state, moves projects through
 * their statuses, refuses what the published API would refuse, and misbehaves where a test says so.
 */
export class ManagementApi {
  readonly token = `sbp_${'0123456789abcdef'.repeat(2)}01234567`;
  readonly projects = new Map<string, hosted.HostedProject>();
  /** `METHOD /path` of each request, with `{ref}` for the project's, in order. */
  readonly calls: string[] = [];
  /** Requests that the API would not have understood: a client of ours sends none. */
  readonly misunderstood: string[] = [];
  /** Decides what happens to the call of this index, from 0. */
  fault: (index: number, call: string) => Fault | undefined = () => undefined;
  /** Makes a role in the database that stands behind the projects. */
  makeRole: (() => Promise<{ role: string; password: string }>) | undefined;
  readonly #backing: hosted.Backing;
  readonly #server = createServer((request, response) => void this.#handle(request, response));
  readonly #routes = this.#allRoutes();

  private constructor(backing: hosted.Backing) {
    this.#backing = backing;
  }

  static async start(backing: hosted.Backing): Promise<ManagementApi> {
    const api = new ManagementApi(backing);
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** Forgets projects, calls and faults. */
  reset(): void {
    this.projects.clear();
    this.calls.length = 0;
    this.misunderstood.length = 0;
    this.fault = () => undefined;
  }

  /** A project that somebody made before. */
  add(given: Partial<z.output<typeof requests.createProject>> = {}): hosted.HostedProject {
    const project = hosted.newProject(
      {
        db_pass: 'a password of before',
        name: 'existing',
        organization_slug: 'acme',
        region_selection: { type: 'specific', code: 'eu-central-1' },
        ...given,
      },
      this.#backing,
    );
    project.statuses = ['ACTIVE_HEALTHY'];
    project.unhealthyLooks = 0;
    this.projects.set(project.ref, project);
    return project;
  }

  /** The only project there is. */
  theProject(): hosted.HostedProject {
    const [project, another] = this.projects.values();
    if (!project || another) throw new Error(`there are ${this.projects.size} projects`);
    return project;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.url);
    const ref = /^\/v1\/projects\/([a-z]{20})(\/|$)/.exec(url.pathname)?.[1];
    const path = ref ? url.pathname.replace(ref, '{ref}') : url.pathname;
    const line = `${request.method} ${path}`;
    const index = this.calls.push(line) - 1;
    const content = await text(request);
    const fault = this.fault(index, line);
    if (fault && 'when' in fault && fault.when === 'before') return misbehave(response, fault);
    const reply = await this.#answer(request, line, ref, url, content);
    if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, fault.milliseconds));
    if (fault && fault.kind !== 'slow') return misbehave(response, fault, reply);
    send(response, reply);
  }

  async #answer(
    request: IncomingMessage,
    line: string,
    ref: string | undefined,
    url: URL,
    content: string,
  ): Promise<Reply> {
    if (request.headers.authorization !== `Bearer ${this.token}`) return failed(401, 'Unauthorized');
    const route = this.#routes.find(({ method, path }) => line === `${method} ${path}`);
    if (!route) return this.#misunderstand(line, 404, `Cannot ${line}`);
    const query: Record<string, string[]> = {};
    for (const key of url.searchParams.keys()) query[key] = url.searchParams.getAll(key);
    const parsedQuery = (route.query ?? requests.noQuery).safeParse(query);
    if (!parsedQuery.success) return this.#misunderstand(line, 400, z.prettifyError(parsedQuery.error));
    if (content !== '' && request.headers['content-type'] !== 'application/json') {
      return this.#misunderstand(line, 400, 'the body is not JSON');
    }
    const project = ref ? this.projects.get(ref) : undefined;
    if (ref && !project) return failed(404, 'Project not found');
    try {
      return await route.answer({ project, body: content === '' ? undefined : JSON.parse(content), query });
    } catch (error) {
      if (error instanceof z.ZodError) return this.#misunderstand(line, 400, z.prettifyError(error));
      throw error;
    }
  }

  #misunderstand(line: string, status: number, why: string): Reply {
    this.misunderstood.push(`${line}: ${why}`);
    return failed(status, why);
  }

  #allRoutes(): Route[] {
    const ofProject = <Schema extends z.ZodType>(
      method: string,
      rest: string,
      body: Schema,
      answer: (call: Call<z.output<Schema>>) => unknown,
      { status = 200, query = requests.noQuery as z.ZodType } = {},
    ): Route => ({
      method,
      path: `/v1/projects/{ref}${rest}`,
      query,
      answer: async ({ project, body: given, query: parameters }) => {
        if (!project) throw new Error(`no project for ${method} ${rest}`);
        return { status, body: await answer({ project, body: body.parse(given), query: parameters }) };
      },
    });
    const nothing = z.undefined();
    const backing = () => this.#backing;
    const short = ({ ref, name }: hosted.HostedProject) => ({ id: 1, ref, name });
    return [
      {
        method: 'GET',
        path: '/v1/projects',
        answer: async () => ({
          status: 200,
          body: [...this.projects.values()].map((project) => hosted.projectReply(project, this.#backing)),
        }),
      },
      {
        method: 'POST',
        path: '/v1/projects',
        answer: async ({ body }) => {
          const project = hosted.newProject(requests.createProject.parse(body), this.#backing);
          this.projects.set(project.ref, project);
          const { database: _, ...reply } = hosted.projectReply(project, this.#backing);
          return { status: 201, body: reply };
        },
      },
      ofProject('GET', '', nothing, ({ project }) => {
        const status = hosted.look(project);
        if (status === 'REMOVED') this.projects.delete(project.ref);
        return hosted.projectReply(project, backing(), status);
      }),
      ofProject('PATCH', '', requests.updateProject, ({ project, body }) => {
        project.name = body.name;
        return short(project);
      }),
      ofProject('DELETE', '', nothing, ({ project }) => {
        project.statuses = ['GOING_DOWN', 'REMOVED'];
        return short(project);
      }),
      ofProject(
        'GET',
        '/health',
        nothing,
        ({ project, query }) => {
          const isUp = project.unhealthyLooks === 0;
          project.unhealthyLooks = Math.max(0, project.unhealthyLooks - 1);
          return (query.services ?? []).map((name) => {
            const healthy = isUp || name !== 'pooler';
            return { name, healthy, status: healthy ? 'ACTIVE_HEALTHY' : 'COMING_UP' };
          });
        },
        { query: requests.healthQuery },
      ),
      ofProject('GET', '/api-keys', nothing, ({ project }) => project.keys, { query: requests.revealQuery }),
      ofProject(
        'POST',
        '/api-keys',
        requests.createApiKey,
        ({ project, body }) => {
          const key = hosted.apiKey(
            body.type,
            body.name,
            body.type === 'secret' ? backing().secretKey : backing().publishableKey,
          );
          project.keys.push(key);
          return key;
        },
        { status: 201, query: requests.revealQuery },
      ),
      ofProject('GET', '/billing/addons', nothing, ({ project }) => hosted.addonsReply(project)),
      ofProject('PATCH', '/billing/addons', requests.applyAddon, ({ project, body }) => {
        project.size = requests.size.parse(body.addon_variant.replace('ci_', ''));
        project.statuses = ['RESIZING', 'ACTIVE_HEALTHY'];
        return undefined;
      }),
      ofProject('PATCH', '/database/password', requests.updatePassword, ({ project, body }) => {
        project.password = body.password;
        return { message: 'Successfully updated password' };
      }),
      ofProject('GET', '/config/database/pooler', nothing, ({ project }) => hosted.poolerReply(project, backing())),
      ofProject(
        'POST',
        '/cli/login-role',
        requests.createRole,
        async () => {
          if (!this.makeRole) throw new Error('this test has no database for login roles');
          return { ...(await this.makeRole()), ttl_seconds: 300 };
        },
        { status: 201 },
      ),
      ofProject('GET', '/postgrest', nothing, ({ project }) => hosted.postgrestReply(project, backing().jwtSecret)),
      ofProject('PATCH', '/postgrest', requests.updatePostgrest, ({ project, body }) => {
        Object.assign(project.rest, body);
        return hosted.postgrestReply(project);
      }),
      ofProject('GET', '/config/auth', nothing, ({ project }) => hosted.authReply(project)),
      ofProject('PATCH', '/config/auth', requests.updateAuth, ({ project, body }) => {
        Object.assign(project.auth, body);
        return hosted.authReply(project);
      }),
      ofProject('GET', '/ssl-enforcement', nothing, ({ project }) => hosted.sslReply(project)),
      ofProject('PUT', '/ssl-enforcement', requests.enforceSsl, ({ project, body }) => {
        project.sslEnforced = body.requestedConfig.database;
        return hosted.sslReply(project);
      }),
      ofProject('GET', '/network-restrictions', nothing, ({ project }) => hosted.networkReply(project)),
      ofProject(
        'POST',
        '/network-restrictions/apply',
        requests.restrictNetwork,
        ({ project, body }) => {
          project.allowed = { v4: body.dbAllowedCidrs, v6: body.dbAllowedCidrsV6 };
          return hosted.networkReply(project);
        },
        { status: 201 },
      ),
    ];
  }
}

const failed = (status: number, message: string): Reply => ({ status, body: { message } });

function send(response: ServerResponse, { status, body }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function misbehave(response: ServerResponse, fault: Exclude<Fault, { kind: 'slow' }>, reply?: Reply): void {
  if (fault.kind === 'cut') response.destroy();
  if (fault.kind === 'hang') return; // until the client, or the server, goes
  if (fault.kind === 'half-reply') {
    const content = JSON.stringify(reply?.body ?? {});
    response.writeHead(reply?.status ?? 200, {
      'content-type': 'application/json',
      'content-length': content.length + 9,
    });
    response.write(content.slice(0, content.length / 2), () => response.destroy());
  }
  if (fault.kind === 'status') {
    const headers = fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter };
    response.writeHead(fault.status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ message: 'injected' }));
  }
}
