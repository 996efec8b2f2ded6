import { isIP } from 'node:net';
import * as pulumi from '@pulumi/pulumi';
import { z } from 'zod';
import { isWithin, privateNetworks } from '../ssh/networks.ts';
import { type ProfileName, profileNames } from './profiles.ts';
import { Refusal } from './refusal.ts';

/** A whole number given as text, as Pulumi stores every plain value. */
const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));
const port = integer(1, 65535);
const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');
const hostname = z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i, 'must be a host name');
const loopback = '127.0.0.1';

function isJsonObject(text: string): boolean {
  try {
    return z.record(z.string(), z.unknown()).safeParse(JSON.parse(text)).success;
  } catch {
    return false; // its text is a secret, and an error of the parser would quote it
  }
}

/**
 * Every key of a stack's configuration: what it means, what it accepts, what it is when left out. This is the one
 * place; `docs/configuration.md` is held to it by a test.
 */
const keys = {
  profile: z
    .enum(profileNames, `must be one of ${profileNames.join(', ')}`)
    .describe('The box: memory, CPUs and the share of each container.'),
  namespace: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{1,40}$/, 'must be 2 to 41 of a-z, 0-9 and -, starting with a letter or digit')
    .describe('Prefix of every container, network and volume. Default: `conversation-kit-<stack>`.'),
  dockerHost: z
    .string()
    .regex(/^(unix:\/\/\/.+|ssh:\/\/.+)$/, 'must be unix:///… or ssh://user@host')
    .describe("The Docker engine of the box. Default: this machine's."),
  images: z
    .enum(['registry', 'local'], 'must be registry or local')
    .describe('Where base images come from: pinned public images, or one base image built from Debian packages.'),
  bindAddress: z
    .union([z.ipv4('must be an IPv4 address'), z.ipv6('must be an IPv6 address')])
    .describe(
      'Address of the box on which Caddy listens; on `optiplex` loopback or its address in the LAN. Everything else listens on loopback or not at all.',
    ),
  httpPort: port.describe('Port of the redirect to HTTPS.'),
  httpsPort: port.describe('Port of the service.'),
  siteAddress: hostname.describe('Host name in the certificate and in the address of the service.'),
  acmeEmail: z
    .email('must be an e-mail address')
    .describe('Set: certificates from Let’s Encrypt. Left out: from a CA of its own.'),
  supabase: z.enum(['embedded', 'hosted'], 'must be embedded or hosted').describe('Which Supabase is the record.'),
  supabasePort: port.describe('Loopback port of the embedded Supabase.'),
  postgresPort: port.describe('Loopback port of its PostgreSQL.'),
  supabaseProjectRef: z
    .string()
    .regex(/^[a-z]{20}$/, 'must be 20 letters a-z')
    .describe('Ref of a hosted project to adopt; with an access token that is enough.'),
  supabaseAccessToken: z
    .string()
    .startsWith('sbp_', 'must start with sbp_')
    .describe('Secret. Token of the Management API. Left out: `SUPABASE_ACCESS_TOKEN` of the environment.'),
  supabaseOrganization: z
    .string()
    .regex(/^[\w-]+$/, 'must be the slug of an organization')
    .describe(
      'Organization in which a hosted project is made, its slug; for one that is adopted, that it has to be in.',
    ),
  supabaseRegion: z
    .string()
    .regex(/^[a-z]+(-[a-z]+)+-\d$/, 'must be a region such as eu-central-1')
    .describe('Region of the hosted project.'),
  supabaseProjectName: z
    .string()
    .min(1, 'must not be empty')
    .max(256, 'must have at most 256 characters')
    .describe(
      'Name of the hosted project. Default: the namespace for one that is made, its own for one that is adopted.',
    ),
  supabaseInstanceSize: z
    .string()
    .regex(/^[a-z0-9_]+$/, 'must be an instance size such as micro')
    .describe('Compute of the hosted project, such as `micro`. Left out: what it has.'),
  supabaseDatabasePassword: z
    .string()
    .min(16, 'must have at least 16 characters')
    .describe('Secret. Database password of an adopted project. Left out: a login role is made for each update.'),
  supabaseAllowDelete: flag.describe('Whether taking down a stack with its data deletes its hosted project, too.'),
  supabaseSiteUrl: z
    .url('must be a URL')
    .describe(
      'Where Auth of the hosted project sends people back to. Default: the service for a project that is made, what it has for one that is adopted.',
    ),
  supabaseRedirectUrls: z.string().describe('Further places for that, separated by commas.'),
  googleClientId: z.string().describe('Sign-in with Google at the hosted project: OAuth client id.'),
  googleClientSecret: z.string().describe('Secret. Its secret.'),
  appleClientId: z.string().describe('Sign-in with Apple at the hosted project: services id.'),
  appleClientSecret: z.string().describe('Secret. Its secret.'),
  supabaseUrl: z
    .url('must be a URL')
    .describe('API address of a hosted project that is told by hand, with the four below.'),
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must be a postgres:// address')
    .describe('Secret. Direct connection to the database of the hosted project.'),
  supabasePublishableKey: z
    .string()
    .startsWith('sb_publishable_', 'must start with sb_publishable_')
    .describe('Key of the hosted project for clients.'),
  supabaseSecretKey: z
    .string()
    .startsWith('sb_secret_', 'must start with sb_secret_')
    .describe('Secret. Key of the hosted project for servers.'),
  supabaseJwtSecret: z
    .string()
    .min(32, 'must have at least 32 characters')
    .describe('Secret. Signs the users’ tokens of the hosted project (HS256).'),
  redisCommander: flag.describe('Whether Redis Commander runs (loopback only).'),
  redisCommanderPort: port.describe('Its loopback port.'),
  conversationTimeoutHours: integer(1, 87_600).describe('Hours after which an untouched conversation expires.'),
  chatUpstreams: z
    .string()
    .refine(isJsonObject, 'must be a JSON object')
    .describe('Secret. The models that answer: JSON as in docs/chat.md. Left out: `/v1/chat` says that there is none.'),
  requestsPerMinute: integer(0, 1_000_000).describe('Requests that one user may make in a minute; 0: any number.'),
  otlpEndpoint: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })
    .describe('Where the service sends traces, by OTLP over HTTP. Left out: there are none.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error')
    .describe('Least level that the service logs.'),
  secretsGeneration: integer(1, 1_000_000).describe('Count it up to have every generated secret made anew.'),
} as const;

export type ConfigKey = keyof typeof keys;
export type SettingValues = { [K in ConfigKey]: z.output<(typeof keys)[K]> };

const secretKeys = [
  'appleClientSecret',
  'chatUpstreams',
  'googleClientSecret',
  'supabaseAccessToken',
  'supabaseDatabasePassword',
  'databaseUrl',
  'supabaseSecretKey',
  'supabaseJwtSecret',
] as const satisfies ConfigKey[];

/** Whether the value of a key is a secret. */
export function isSecretKey(key: string): boolean {
  return (secretKeys as readonly string[]).includes(key);
}

/** A project that the Management API is asked for, or asked to make. */
const managedKeys = [
  'supabaseProjectRef',
  'supabaseAccessToken',
  'supabaseOrganization',
  'supabaseRegion',
  'supabaseProjectName',
  'supabaseInstanceSize',
  'supabaseDatabasePassword',
  'supabaseSiteUrl',
  'supabaseRedirectUrls',
  'googleClientId',
  'googleClientSecret',
  'appleClientId',
  'appleClientSecret',
] as const;
/** A project that is told by hand. */
const toldKeys = [
  'supabaseUrl',
  'databaseUrl',
  'supabasePublishableKey',
  'supabaseSecretKey',
  'supabaseJwtSecret',
] as const;
const hostedKeys = [...managedKeys, ...toldKeys] as const;
type OptionalKey = 'dockerHost' | 'acmeEmail' | 'chatUpstreams' | 'otlpEndpoint' | (typeof hostedKeys)[number];

/** Typed configuration of one stack. What may be left out and has no default is `undefined`. */
export type Settings = Omit<SettingValues, OptionalKey> & { [K in OptionalKey]: SettingValues[K] | undefined };

/** Text per key, as `Pulumi.<stack>.yaml` has it, without the project's prefix. */
export type RawConfig = Readonly<Record<string, string>>;

const perProfile: Record<ProfileName, Partial<Record<ConfigKey, string>>> = {
  local: { supabase: 'embedded', bindAddress: loopback, siteAddress: 'localhost', redisCommander: 'true' },
  ryzen: { supabase: 'hosted', bindAddress: loopback, siteAddress: 'localhost', redisCommander: 'true' },
  optiplex: { supabase: 'hosted', bindAddress: loopback, siteAddress: 'optiplex.local', redisCommander: 'false' },
};

function defaults(stack: string, profile: ProfileName): Partial<Record<ConfigKey, string>> {
  return {
    namespace: `conversation-kit-${stack}`,
    images: 'registry',
    httpPort: '80',
    httpsPort: '443',
    supabasePort: '54321',
    postgresPort: '54322',
    supabaseAllowDelete: 'false',
    redisCommanderPort: '8081',
    conversationTimeoutHours: '24',
    requestsPerMinute: '600',
    logLevel: 'info',
    secretsGeneration: '1',
    ...perProfile[profile],
  };
}

/** What is wrong with a stack's configuration: every mistake, each with the command that mends it. */
export class ConfigError extends Refusal {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly string[];
  constructor(stack: string, mistakes: readonly string[]) {
    const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`;
    super(
      `The configuration of stack ${stack} has ${count}:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}\n` +
        `Set a value:  npm run pulumi -- config set <key> <value> -s ${stack}   (of a secret: --secret <key>, and you are asked)\n` +
        `Take one away: npm run pulumi -- config rm <key> -s ${stack}            Every key: docs/configuration.md`,
    );
    this.mistakes = mistakes;
  }
}

/** Parses a stack's configuration. Throws one {@link ConfigError} with every mistake; it never repeats a secret. */
export function parseConfig(stack: string, given: RawConfig): Settings {
  const mistakes: string[] = [];
  const profile = profileOf(stack, given, mistakes);
  const effective: Record<string, string> = { ...defaults(stack, profile), ...given, profile };
  const values: Record<string, unknown> = Object.fromEntries(Object.keys(keys).map((key) => [key, undefined]));
  for (const [key, text] of Object.entries(effective)) {
    const schema = (keys as Record<string, z.ZodType>)[key];
    if (!schema) {
      mistakes.push(`${key}: there is no such key`);
      continue;
    }
    const result = schema.safeParse(text);
    if (result.success) values[key] = result.data;
    else {
      const shown = isSecretKey(key) ? 'the value (secret)' : JSON.stringify(text);
      mistakes.push(`${key}: ${shown} ${result.error.issues.map(({ message }) => message).join(', ')}`);
    }
  }
  mistakes.push(...contradictions(effective));
  if (mistakes.length > 0) throw new ConfigError(stack, mistakes);
  return values as Settings; // every key without a default is in OptionalKey, every other was parsed above
}

function profileOf(stack: string, given: RawConfig, mistakes: string[]): ProfileName {
  const wanted = given.profile ?? stack;
  const known = profileNames.find((name) => name === wanted);
  if (known) return known;
  mistakes.push(
    given.profile === undefined
      ? `profile: not set, and the stack's name is not that of a profile (${profileNames.join(', ')})`
      : `profile: ${JSON.stringify(wanted)} must be one of ${profileNames.join(', ')}`,
  );
  return 'local';
}

/** Loopback, and what is not routed on the internet. */
const homeNetworks = ['127.0.0.0/8', '::1/128', ...privateNetworks];

/** Mistakes that lie between keys, not in one. */
function contradictions(text: Record<string, string>): string[] {
  const found: string[] = [];
  const { profile, bindAddress = '' } = text;
  if (profile === 'optiplex' && isIP(bindAddress) && !homeNetworks.some((network) => isWithin(bindAddress, network))) {
    found.push(
      `bindAddress: ${bindAddress} is reached from beyond the LAN, where the box optiplex publishes nothing: ` +
        'use 127.0.0.1, or its own address in the LAN (10.…, 172.16.… to 172.31.…, 192.168.…)',
    );
  }
  const ports = ['httpPort', 'httpsPort', ...(text.supabase === 'embedded' ? ['supabasePort', 'postgresPort'] : [])];
  if (text.redisCommander === 'true') ports.push('redisCommanderPort');
  for (const [index, key] of ports.entries()) {
    const other = ports.slice(0, index).find((earlier) => text[earlier] === text[key]);
    if (other) found.push(`${key}: ${text[key]} is taken by ${other}`);
  }
  if (text.supabase === 'embedded' && text.dockerHost?.startsWith('ssh://')) {
    found.push('supabase: embedded runs on this machine only, and dockerHost names another: use hosted');
  }
  if (text.supabase === 'embedded') {
    for (const key of hostedKeys)
      if (text[key] !== undefined) found.push(`${key}: is for supabase: hosted, and this stack's is embedded`);
    return found;
  }
  const told = toldKeys.filter((key) => text[key] !== undefined);
  const managed = managedKeys.filter((key) => text[key] !== undefined);
  if (told.length > 0 && managed.length > 0) {
    found.push(`${told.join(', ')}: a project that is told by hand leaves no room for ${managed.join(', ')}`);
  } else if (told.length > 0) {
    const missing = toldKeys.filter((key) => text[key] === undefined);
    for (const key of missing) found.push(`${key}: is needed, too: ${told[0]} says that the project is told by hand`);
  }
  const isMade = text.supabaseProjectRef === undefined && text.supabaseOrganization !== undefined;
  if (isMade && text.supabaseRegion === undefined) found.push('supabaseRegion: is needed to make a project');
  for (const provider of ['google', 'apple']) {
    const [id, secret] = [`${provider}ClientId`, `${provider}ClientSecret`];
    if ((text[id] === undefined) !== (text[secret] === undefined)) found.push(`${id}, ${secret}: go together`);
  }
  return found;
}

/** The description of each key, for the documentation and its test. */
export function describeKeys(): { key: ConfigKey; description: string }[] {
  return Object.entries(keys).map(([key, schema]) => ({
    key: key as ConfigKey,
    description: schema.description ?? '',
  }));
}

/** Reads the configuration of the running stack; what uses one of its secrets wraps it in `pulumi.secret` first. */
export function loadConfig(): Settings {
  const prefix = `${pulumi.getProject()}:`;
  const all = Object.entries(pulumi.runtime.allConfig());
  const own = all.filter(([key]) => key.startsWith(prefix)).map(([key, text]) => [key.slice(prefix.length), text]);
  return parseConfig(pulumi.getStack(), Object.fromEntries(own));
}
