import { createHash } from 'node:crypto';
import type * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import type { ProjectConnection } from '../supabase/project.ts';
import { HardenedContainer } from './hardened-container.ts';
import type { KitImage } from './image.ts';
import type { StackContext } from './stack-context.ts';

export interface ServiceReleaseArgs {
  readonly stack: StackContext;
  readonly image: KitImage;
  readonly supabase: ProjectConnection;
  readonly redis: { readonly url: string; readonly password: pulumi.Input<string> };
  /** Outlives releases, and is shared by two of them as long as they run side by side. */
  readonly outbox: docker.Volume;
  /** JSON with the models that answer, and the keys to them. */
  readonly chatUpstreams: string | undefined;
  readonly timeoutHours: number;
  /** That one user may make; 0: any number. */
  readonly requestsPerMinute: number;
  readonly otlpEndpoint: string | undefined;
  readonly logLevel: string;
  /** Part of the release: new secrets make a new release. */
  readonly secretsGeneration: number;
}

const port = 8079;
const outboxDirectory = '/var/lib/outbox';

/**
 * One release of the conversation service. Its id is in its name, so a new release starts beside the old one, and the
 * engine deletes the old one only when everything of the update has worked.
 */
export class ServiceRelease extends pulumi.ComponentResource {
  readonly id: string;
  /** `host:port` in the stack's network. */
  readonly upstream: string;
  readonly container: docker.Container;

  constructor(name: string, args: ServiceReleaseArgs, opts: pulumi.ComponentResourceOptions = {}) {
    // The address of a project that is yet to be made is not known when the release is named.
    const environment = serviceEnvironment(args, args.supabase.identity);
    const { chatUpstreams, secretsGeneration } = args;
    const secrets = chatUpstreams === undefined ? {} : { 'chat-upstreams': chatUpstreams };
    const id = releaseId({ image: args.image.reference, environment, secretsGeneration, secrets });
    super('conversation-kit:docker:ServiceRelease', `${name}-${id}`, {}, opts);
    const host = `service-${id}`;
    const { container } = new HardenedContainer(
      `${name}-${id}`,
      {
        stack: args.stack,
        role: 'service',
        containerName: host,
        aliases: [host],
        image: args.image,
        limits: args.stack.profile.limits.service,
        environment: { ...serviceEnvironment(args, args.supabase.url), RELEASE_ID: id },
        secrets: {
          'supabase-publishable-key': args.supabase.publishableKey,
          'supabase-secret-key': args.supabase.secretKey,
          'supabase-jwt-secret': args.supabase.jwtSecret,
          'redis-password': args.redis.password,
          ...secrets,
        },
        volumes: [{ volume: args.outbox, path: outboxDirectory }],
        // Waited for at the gate, which looks more often than Docker.
        stopWithin: 30,
      },
      { parent: this },
    );
    this.id = id;
    this.upstream = `${host}:${port}`;
    this.container = container;
    this.registerOutputs({ id, upstream: this.upstream });
  }
}

/** The environment of the service, all but its release id. `service/config.ts` parses it. */
export function serviceEnvironment<Url>(
  args: Omit<ServiceReleaseArgs, 'stack' | 'image' | 'outbox' | 'secretsGeneration'>,
  supabaseUrl: Url,
): Record<string, string | Url> {
  return {
    HOST: '0.0.0.0',
    PORT: String(port),
    LOG_LEVEL: args.logLevel,
    CONVERSATION_STORAGE_BACKEND: 'dual',
    CONVERSATION_TIMEOUT_HOURS: String(args.timeoutHours),
    RATE_LIMIT_USER: String(args.requestsPerMinute),
    ...(args.otlpEndpoint === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: args.otlpEndpoint }),
    SUPABASE_URL: supabaseUrl,
    ...(args.supabase.hasPublicKeys ? { SUPABASE_JWKS: 'project' } : {}),
    SUPABASE_PUBLISHABLE_KEY_FILE: '/run/secrets/supabase-publishable-key',
    SUPABASE_SECRET_KEY_FILE: '/run/secrets/supabase-secret-key',
    SUPABASE_JWT_SECRET_FILE: '/run/secrets/supabase-jwt-secret',
    REDIS_URL: args.redis.url,
    REDIS_PASSWORD_FILE: '/run/secrets/redis-password',
    OUTBOX_DIRECTORY: outboxDirectory,
    ...(args.chatUpstreams === undefined ? {} : { CHAT_UPSTREAMS_FILE: '/run/secrets/chat-upstreams' }),
  };
}

/** Names a release by what it is made of: same content, same id, empty plan. Ten hexadecimal digits. */
export function releaseId(parts: {
  image: string;
  environment: Readonly<Record<string, string>>;
  secretsGeneration: number;
  /** Those that a person sets; generated ones change with their generation. */
  secrets: Readonly<Record<string, string>>;
}): string {
  const environment = Object.entries(parts.environment).sort(([left], [right]) => (left < right ? -1 : 1));
  const secrets = Object.entries(parts.secrets).map(([name, value]) => [name, sha256(value)]);
  const content = JSON.stringify([parts.image, environment, parts.secretsGeneration, ...secrets]);
  return sha256(content).slice(0, 10);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
