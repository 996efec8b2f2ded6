import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseSize } from './storage/size.ts';

/** PostgreSQL behind the embedded Supabase. `user` must be a superuser: it creates the roles and the event triggers. */
export interface DatabaseSettings {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  readonly password: string;
}

/** Everything that `startEmbeddedSupabase` needs. Sizes are bytes; `port` 0 takes any free one. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly database: DatabaseSettings;
  /** Signs and verifies the users' tokens and the legacy keys (HS256). */
  readonly jwtSecret: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  readonly storageDirectory: string;
  readonly siteUrl: string;
  readonly maxFileSize: number;
}

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Wrong or missing environment: `message` lists every mistake, one a line. Never contains a secret's value. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(`the embedded Supabase can't start with this environment:\n${mistakes.map((m) => `  - ${m}`).join('\n')}`);
    this.mistakes = mistakes;
  }
}

const port = z.coerce.number('must be a number').int('must be a whole number').min(0).max(65535);

const secretFile = (shape: z.ZodString) =>
  z
    .string('is missing: it names the file with the secret')
    .min(1, 'is empty: it names the file with the secret')
    .transform((path, context) => {
      try {
        return readFileSync(path, 'utf8').trim();
      } catch (cause) {
        const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
        context.addIssue({ code: 'custom', message: `names a file that can't be read (${code}): ${path}` });
        return z.NEVER;
      }
    })
    .pipe(shape);

const key = (prefix: string) =>
  secretFile(
    z
      .string()
      .regex(
        new RegExp(`^${prefix}[A-Za-z0-9_-]{16,}$`),
        `: the file must hold ${prefix}<16 or more of A-Z a-z 0-9 _ ->`,
      ),
  );

const size = z.string().transform((text, context) => {
  const bytes = parseSize(text);
  if (bytes !== undefined && bytes > 0) return bytes;
  context.addIssue({ code: 'custom', message: `is no size: "${text}"; write 50MiB, 50MB or a number of bytes` });
  return z.NEVER;
});

const environment = z.object({
  HOST: z.string().min(1).default('0.0.0.0'),
  PORT: port.default(54321),
  DATABASE_HOST: z.string().min(1).default('postgres'),
  DATABASE_PORT: port.min(1).default(5432),
  DATABASE_NAME: z.string().min(1).default('postgres'),
  DATABASE_USER: z.string().min(1).default('postgres'),
  DATABASE_PASSWORD_FILE: secretFile(z.string().min(1, ': the file is empty')),
  JWT_SECRET_FILE: secretFile(z.string().min(32, ': the secret must have 32 characters or more')),
  PUBLISHABLE_KEY_FILE: key('sb_publishable_'),
  SECRET_KEY_FILE: key('sb_secret_'),
  STORAGE_DIR: z.string().min(1).default('/var/lib/storage'),
  SITE_URL: z.url('must be an address such as http://localhost:3000').default('http://localhost:3000'),
  MAX_FILE_SIZE: size.default(50 * 1024 * 1024),
  LOG_LEVEL: z.enum(logLevels).default('info'),
});

/** Parses the environment; secrets are read from the files it names. Throws `ConfigurationError` with every mistake. */
export function readConfiguration(env: NodeJS.ProcessEnv): { settings: Settings; logLevel: LogLevel } {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    throw new ConfigurationError(parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`));
  }
  const value = parsed.data;
  return {
    settings: {
      host: value.HOST,
      port: value.PORT,
      database: {
        host: value.DATABASE_HOST,
        port: value.DATABASE_PORT,
        name: value.DATABASE_NAME,
        user: value.DATABASE_USER,
        password: value.DATABASE_PASSWORD_FILE,
      },
      jwtSecret: value.JWT_SECRET_FILE,
      publishableKey: value.PUBLISHABLE_KEY_FILE,
      secretKey: value.SECRET_KEY_FILE,
      storageDirectory: value.STORAGE_DIR,
      siteUrl: value.SITE_URL,
      maxFileSize: value.MAX_FILE_SIZE,
    },
    logLevel: value.LOG_LEVEL,
  };
}
