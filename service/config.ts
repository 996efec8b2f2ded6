import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** A secret is given as the path of the file that has it. */
const secretFile = z.string().transform((path, context) => {
  try {
    const secret = readFileSync(path, 'utf8').trim();
    if (secret !== '') return secret;
    context.addIssue({ code: 'custom', message: `${path} is empty` });
  } catch (error) {
    context.addIssue({ code: 'custom', message: `${path} can't be read (${(error as NodeJS.ErrnoException).code})` });
  }
  return z.NEVER;
});

/** The environment of the service: `.env.example` shows each of these, and a test parses that file with this. */
const environment = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8079),
  RELEASE_ID: z.string().min(1).default('development'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  CONVERSATION_STORAGE_BACKEND: z.enum(['memory', 'redis', 'supabase', 'dual']).default('dual'),
  CONVERSATION_STORAGE_FALLBACK: z.enum(['memory']).optional(),
  CONVERSATION_TIMEOUT_HOURS: z.coerce.number().positive().max(87_600).default(24),
  SUPABASE_URL: z.url().optional(),
  SUPABASE_PUBLISHABLE_KEY_FILE: secretFile.optional(),
  SUPABASE_SECRET_KEY_FILE: secretFile.optional(),
  SUPABASE_JWT_SECRET_FILE: secretFile.optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  REDIS_PASSWORD_FILE: secretFile.optional(),
});
type Environment = z.output<typeof environment>;

export interface SupabaseSettings {
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
}

export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly releaseId: string;
  readonly logLevel: Environment['LOG_LEVEL'];
  readonly backend: Environment['CONVERSATION_STORAGE_BACKEND'];
  readonly fallback: 'memory' | undefined;
  /** Milliseconds that an untouched conversation lives. */
  readonly ttl: number;
  /** There where the backend is `supabase` or `dual`. */
  readonly supabase: SupabaseSettings | undefined;
  /** There where the backend is `redis` or `dual`. */
  readonly redis: { readonly url: string; readonly password: string | undefined } | undefined;
  /** What lets callers in: the server's key, and the secret that signs users' tokens (HS256). */
  readonly serverKey: string;
  readonly jwtSecret: string;
}

/** What is wrong with the environment: every mistake, none with a secret in it. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly mistakes: readonly string[];
  constructor(mistakes: readonly string[]) {
    super(`The service can't start with this environment:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.mistakes = mistakes;
  }
}

/** Parses the environment. Throws one {@link ConfigurationError} with every mistake. */
export function parseEnvironment(given: NodeJS.ProcessEnv): Settings {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(set);
  const mistakes = parsed.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
  const backend = parsed.data?.CONVERSATION_STORAGE_BACKEND ?? set.CONVERSATION_STORAGE_BACKEND ?? 'dual';
  mistakes.push(...missing(set, backend));
  if (!parsed.success || mistakes.length > 0) throw new ConfigurationError(mistakes);
  return settingsOf(parsed.data);
}

function missing(set: NodeJS.ProcessEnv, backend: string): string[] {
  const needed = ['SUPABASE_SECRET_KEY_FILE', 'SUPABASE_JWT_SECRET_FILE'];
  if (backend === 'supabase' || backend === 'dual') needed.push('SUPABASE_URL', 'SUPABASE_PUBLISHABLE_KEY_FILE');
  if (backend === 'redis' || backend === 'dual') needed.push('REDIS_URL');
  return needed
    .filter((name) => set[name] === undefined)
    .map((name) => `${name}: is not set, and backend ${backend} needs it`);
}

function settingsOf(from: Environment): Settings {
  const {
    SUPABASE_URL: url,
    SUPABASE_PUBLISHABLE_KEY_FILE: publishableKey,
    SUPABASE_SECRET_KEY_FILE: secretKey,
  } = from;
  return {
    host: from.HOST,
    port: from.PORT,
    releaseId: from.RELEASE_ID,
    logLevel: from.LOG_LEVEL,
    backend: from.CONVERSATION_STORAGE_BACKEND,
    fallback: from.CONVERSATION_STORAGE_FALLBACK,
    ttl: from.CONVERSATION_TIMEOUT_HOURS * 3_600_000,
    supabase: url && publishableKey && secretKey ? { url, publishableKey, secretKey } : undefined,
    redis: from.REDIS_URL ? { url: from.REDIS_URL, password: from.REDIS_PASSWORD_FILE } : undefined,
    serverKey: secretKey ?? '',
    jwtSecret: from.SUPABASE_JWT_SECRET_FILE ?? '',
  };
}
