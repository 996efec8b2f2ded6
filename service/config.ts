import { readFileSync } from 'node:fs';
import type { BlockList } from 'node:net';
import type { z } from 'zod';
import { noUpstreams, type Upstreams } from './chat/upstream.ts';
import { type ReadFile, variables } from './environment-variables.ts';
import type { AuthenticationSettings } from './http/authentication.ts';
import { networks } from './http/client-address.ts';
import type { RateLimitSettings } from './http/rate-limits.ts';
import type { logLevels } from './logger.ts';
import type { StorageSettings } from './storage/open-storage.ts';
import type { TracingSettings } from './tracing/start-tracing.ts';

export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly releaseId: string;
  readonly logLevel: (typeof logLevels)[number];
  readonly authentication: AuthenticationSettings;
  readonly rateLimits: RateLimitSettings;
  /** Left out: no traces. */
  readonly tracing: TracingSettings | undefined;
  readonly trustedProxies: BlockList;
  readonly storage: StorageSettings;
  /** How long a conversation lives after it was last read or written. */
  readonly lifetimeSeconds: number;
  readonly chatUpstreams: Upstreams;
}

/** Every mistake in the environment. The message is for the person who set it, and holds no secret. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    const list = mistakes.map((mistake) => `  - ${mistake}`).join('\n');
    super(`the service can't start with this environment (.env.example explains it):\n${list}`);
    this.mistakes = mistakes;
  }
}

/** Reads the environment, and the secrets from the files that it names. Throws {@link ConfigurationError}. */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>>,
  readFile: ReadFile = (path) => readFileSync(path, 'utf8'),
): Settings {
  // What is set to nothing is not set.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const groups = variables(readFile);
  const backend = groups.always.shape.CONVERSATION_STORAGE_BACKEND.safeParse(given.CONVERSATION_STORAGE_BACKEND);
  const needs = (...wanting: string[]) => !backend.success || wanting.includes(backend.data);
  const always = groups.always.safeParse(given);
  const supabase = needs('dual', 'supabase') ? groups.supabase.safeParse(given) : undefined;
  const redis = needs('dual', 'redis') ? groups.redis.safeParse(given) : undefined;
  if (!always.success || supabase?.success === false || redis?.success === false) {
    throw new ConfigurationError([always, supabase, redis].flatMap(mistakesOf));
  }
  const { data } = always;
  const authentication = authenticationSettings(data, supabase?.data);
  const secretKey = data.SUPABASE_SECRET_KEY_FILE;
  return {
    host: data.HOST,
    port: data.PORT,
    releaseId: data.RELEASE_ID,
    logLevel: data.LOG_LEVEL,
    authentication,
    rateLimits: { user: data.RATE_LIMIT_USER, server: data.RATE_LIMIT_SERVER, failed: data.RATE_LIMIT_FAILED },
    trustedProxies: networks(data.TRUSTED_PROXIES),
    tracing:
      data.OTEL_EXPORTER_OTLP_ENDPOINT === undefined
        ? undefined
        : { endpoint: data.OTEL_EXPORTER_OTLP_ENDPOINT, share: data.OTEL_TRACES_SAMPLER_ARG },
    storage: {
      backend: data.CONVERSATION_STORAGE_BACKEND,
      fallback: data.CONVERSATION_STORAGE_FALLBACK,
      supabase: supabase && {
        url: supabase.data.SUPABASE_URL,
        publishableKey: supabase.data.SUPABASE_PUBLISHABLE_KEY_FILE,
        secretKey,
      },
      redis: redis && { url: redis.data.REDIS_URL, password: redis.data.REDIS_PASSWORD_FILE },
      outboxDirectory: supabase?.data.OUTBOX_DIRECTORY,
    },
    lifetimeSeconds: Math.max(1, Math.round(data.CONVERSATION_TIMEOUT_HOURS * 3600)),
    chatUpstreams: data.CHAT_UPSTREAMS_FILE ?? noUpstreams,
  };
}

function authenticationSettings(
  data: z.output<ReturnType<typeof variables>['always']>,
  supabase: { readonly SUPABASE_URL: string; readonly OUTBOX_DIRECTORY: string } | undefined,
): AuthenticationSettings {
  const supabaseUrl = supabase?.SUPABASE_URL;
  const { SUPABASE_JWKS: keys, SUPABASE_JWT_SECRET_FILE: jwtSecret } = data;
  if (keys === undefined && jwtSecret === undefined) {
    throw new ConfigurationError([
      'SUPABASE_JWT_SECRET_FILE is missing: it, or SUPABASE_JWKS, tells how users sign in',
    ]);
  }
  if (keys === 'project' && supabaseUrl === undefined) {
    throw new ConfigurationError(['SUPABASE_JWKS is project, but this backend has none: name a file with its keys']);
  }
  const issuer = keys === 'project' && supabaseUrl !== undefined ? new URL('/auth/v1', supabaseUrl) : undefined;
  return {
    secretKey: data.SUPABASE_SECRET_KEY_FILE,
    jwtSecret,
    publicKeys: issuer ? new URL(`${issuer.href}/.well-known/jwks.json`) : keys === 'project' ? undefined : keys,
    keptKeysDirectory: issuer && supabase?.OUTBOX_DIRECTORY,
    issuer: data.SUPABASE_JWT_ISSUER ?? issuer?.href,
  };
}

function mistakesOf(result: z.ZodSafeParseResult<unknown> | undefined): string[] {
  return result?.error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`) ?? [];
}
