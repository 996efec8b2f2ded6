import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { upstreamsFile } from './chat/upstream.ts';
import { networks } from './http/client-address.ts';
import { logLevels } from './logger.ts';
import { backends } from './storage/open-storage.ts';

/** Returns the content of a file, or throws what the system says. */
export type ReadFile = (path: string) => string;

/** Public keys of the kinds that Supabase signs with; whoever puts a private one here is told. */
const publicKeySet = z.object({
  keys: z
    .array(z.looseObject({ kty: z.enum(['EC', 'RSA', 'OKP']) }))
    .min(1)
    .refine((keys) => !keys.some((key) => 'd' in key)),
});

/** The variables of the environment in groups by what needs them. They validate, and `.env.example` is made of them. */
export function variables(readFile: ReadFile) {
  const secret = (pattern: RegExp, content: string) =>
    z
      .string('is missing: it names the file with the secret')
      .transform((path, context) => readSecret(path, readFile, context))
      .pipe(z.string().regex(pattern, `names a file that does not hold ${content}`));
  const address = (scheme: RegExp, like: string) =>
    z
      .string(`is missing: an address such as ${like}`)
      .refine((text) => scheme.test(text) && URL.canParse(text), `is no address such as ${like}`);

  const perMinute = (standard: number, description: string) =>
    z.coerce
      .number('is no number')
      .int('is no whole number')
      .min(0, 'is below 0')
      .max(10_000_000, 'is more than 10000000; 0 is no limit')
      .default(standard)
      .meta({ description: `${description} 0: no limit.` });

  const always = z.object({
    HOST: z.string().default('0.0.0.0').meta({ description: 'Address to listen on.' }),
    PORT: z.coerce
      .number('is no number')
      .int('is no whole number')
      .min(1, 'is no port')
      .max(65_535, 'is no port')
      .default(8079)
      .meta({ description: 'Port to listen on.' }),
    RELEASE_ID: z
      .string()
      .regex(/^[\w.-]{1,64}$/, 'has more than 64 characters, or others than letters, digits, ".", "_" and "-"')
      .default('dev')
      .meta({ description: 'Which release this is: in every reply and every line of the log.' }),
    LOG_LEVEL: z
      .enum(logLevels, `is none of ${logLevels.join(', ')}`)
      .default('info')
      .meta({ description: `Least level that is logged: ${logLevels.join(', ')}.` }),
    CONVERSATION_STORAGE_BACKEND: z
      .enum(backends, `is none of ${backends.join(', ')}`)
      .default('dual')
      .meta({
        description: `Where conversations are kept. dual: in Supabase, with hot copies in Redis. supabase, redis: there alone.
memory: in the process, until it ends.`,
      }),
    CONVERSATION_STORAGE_FALLBACK: z
      .enum(['memory'], 'is not memory, the only fallback there is')
      .optional()
      .meta({
        description: `Left out: a backend that can't start is an error. memory: it is a warning; without Redis dual goes on with Supabase
alone, everything else in the memory of the process, which loses what it holds when it ends.`,
      }),
    CONVERSATION_TIMEOUT_HOURS: z.coerce
      .number('is no number')
      .positive('is not above 0')
      .max(87_600, 'is more than ten years')
      .default(24)
      .meta({ description: 'Hours after which a conversation expires that was neither read nor written.' }),
    RATE_LIMIT_USER: perMinute(600, 'Requests that one user may make in a minute.'),
    RATE_LIMIT_SERVER: perMinute(
      120_000,
      'Requests that whoever has the secret key may make in a minute, all together.',
    ),
    RATE_LIMIT_FAILED: perMinute(30, 'Requests without a valid token that one client address may make in a minute.'),
    TRUSTED_PROXIES: z
      .string()
      .default('private')
      .superRefine((list, context) => expectNetworks(list, context))
      .meta({
        description: `Whose X-Forwarded-For tells the address of the client: addresses and networks (10.0.0.0/8), separated by commas;
private stands for all private networks, since nothing but Caddy reaches the service from there.`,
      }),
    CHAT_UPSTREAMS_FILE: z
      .string()
      .transform((path, context) => readJson(path, readFile, context))
      .pipe(upstreamsFile)
      .optional()
      .meta({
        description: `File with the models that /v1/chat asks, and their keys, such as /run/secrets/chat-upstreams: docs/chat.md
explains it. Left out: there are none.`,
      }),
    OTEL_EXPORTER_OTLP_ENDPOINT: address(/^https?:\/\//, 'http://collector:4318')
      .optional()
      .meta({ description: 'Where traces are sent, by OTLP over HTTP. Left out: there are none.' }),
    OTEL_TRACES_SAMPLER_ARG: z.coerce
      .number('is no number')
      .min(0, 'is below 0')
      .max(1, 'is above 1')
      .default(1)
      .meta({ description: 'Share of the traces that begin here: 0.1 is every tenth.' }),
    SUPABASE_SECRET_KEY_FILE: secret(/^sb_secret_\S+$/, 'a secret key (sb_secret_…)').meta({
      description: 'File with the secret key: whoever has it is the server itself.',
      example: '/run/secrets/supabase-secret-key',
    }),
    SUPABASE_JWT_SECRET_FILE: secret(/^\S{32,}$/, 'a word of 32 characters or more')
      .optional()
      .meta({
        description: `File with the secret that signs users' tokens (HS256). Left out when SUPABASE_JWKS is set and the project signs
with nothing else any more.`,
        example: '/run/secrets/supabase-jwt-secret',
      }),
    SUPABASE_JWKS: z
      .string()
      .transform((value, context) => (value === 'project' ? value : readKeySet(value, readFile, context)))
      .optional()
      .meta({
        description: `Public keys that users' tokens are signed with (ES256, RS256, EdDSA). project: those that the project at SUPABASE_URL
shows; else a file with a JWKS document.`,
      }),
    SUPABASE_JWT_ISSUER: address(/^https?:\/\//, 'https://<project>.supabase.co/auth/v1')
      .optional()
      .meta({
        description: `Who has to have issued users' tokens. Left out: with SUPABASE_JWKS=project <SUPABASE_URL>/auth/v1, else anybody
who has the key.`,
      }),
  });

  const supabase = z.object({
    SUPABASE_URL: address(/^https?:\/\//, 'https://<project>.supabase.co').meta({
      description: 'Supabase (dual, supabase).',
      example: 'http://127.0.0.1:54321',
    }),
    SUPABASE_PUBLISHABLE_KEY_FILE: secret(/^sb_publishable_\S+$/, 'a publishable key (sb_publishable_…)').meta({
      description:
        "File with the publishable key: users' requests go out under it, with their own token (dual, supabase).",
      example: '/run/secrets/supabase-publishable-key',
    }),
    OUTBOX_DIRECTORY: z
      .string('is missing: a directory on a disk that stays')
      .refine((path) => isAbsolute(path), 'is no absolute path')
      .meta({
        description: `Directory of the outbox: what is acknowledged while Supabase is away waits there. All services of the box share it, and
nothing may delete it (dual, supabase).`,
        example: '/var/lib/outbox',
      }),
  });

  const redis = z.object({
    REDIS_URL: address(/^rediss?:\/\//, 'redis://redis:6379')
      .refine(hasNoPassword, 'has a password in it: that belongs into the file of REDIS_PASSWORD_FILE')
      .meta({ description: 'Redis (dual, redis).', example: 'redis://127.0.0.1:6379' }),
    REDIS_PASSWORD_FILE: secret(/^\S+$/, 'one word').optional().meta({
      description: 'File with the password of Redis; left out when it has none (dual, redis).',
      example: '/run/secrets/redis-password',
    }),
  });
  return { always, supabase, redis };
}

/** The text of `.env.example`. */
export function environmentExample(): string {
  const { always, supabase, redis } = variables(() => '');
  const entries = Object.entries<z.ZodType>({ ...always.shape, ...supabase.shape, ...redis.shape });
  const paragraphs = entries.map(([name, schema]) => {
    const { description = '', example } = schema.meta() ?? {};
    const value = example ?? (schema instanceof z.ZodDefault ? schema.def.defaultValue : '');
    return `${description.replace(/^/gm, '# ')}\n${name}=${value}\n`;
  });
  const title =
    '# The environment of the conversation service. Values are the defaults, or examples where there is none.';
  return `${title}\n\n${paragraphs.join('\n')}`;
}

function readSecret(path: string, readFile: ReadFile, context: z.RefinementCtx): string {
  try {
    return readFile(path).trim();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    context.addIssue({ code: 'custom', message: `names a file that can't be read (${code}): ${path}` });
    return z.NEVER;
  }
}

function expectNetworks(list: string, context: z.RefinementCtx): void {
  try {
    networks(list);
  } catch {
    context.addIssue({ code: 'custom', message: 'is no list of addresses, networks such as 10.0.0.0/8, or private' });
  }
}

function readKeySet(path: string, readFile: ReadFile, context: z.RefinementCtx): z.output<typeof publicKeySet> {
  const text = readSecret(path, readFile, context);
  const keys = publicKeySet.safeParse(jsonOrUndefined(text));
  if (keys.success) return keys.data;
  context.addIssue({ code: 'custom', message: 'is neither "project" nor a file with the public keys of a JWKS' });
  return z.NEVER;
}

function readJson(path: string, readFile: ReadFile, context: z.RefinementCtx): unknown {
  const value = jsonOrUndefined(readSecret(path, readFile, context));
  if (value !== undefined) return value;
  context.addIssue({ code: 'custom', message: 'names a file that is not JSON' });
  return z.NEVER;
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the message of the error would quote the file
  }
}

function hasNoPassword(address: string): boolean {
  return !URL.canParse(address) || new URL(address).password === '';
}
