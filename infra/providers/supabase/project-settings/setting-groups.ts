import { createHash } from 'node:crypto';
import type { ManagementApi } from '../management/management-api.ts';
import type { AuthReply } from '../management/replies.ts';
import { isIPv4Network, type Settings } from './properties.ts';

/** What a project has; of secrets the API tells a digest at most, of which there is a hash here. */
export interface Found {
  readonly settings: Settings;
  readonly secretDigests?: Readonly<Record<string, string>>;
}

/** Settings that the API reads and writes together. */
export interface SettingGroup {
  readonly keys: readonly (keyof Settings)[];
  read(api: ManagementApi, ref: string): Promise<Found>;
  /** Writes what is in `changes`, and nothing else. */
  write(api: ManagementApi, ref: string, changes: Settings): Promise<Pick<Found, 'secretDigests'>>;
}

const auth: SettingGroup = {
  keys: [
    'siteUrl',
    'redirectUrls',
    'signUps',
    'email',
    'emailConfirmation',
    'google',
    'googleClientId',
    'googleClientSecret',
    'apple',
    'appleClientId',
    'appleClientSecret',
  ],
  async read(api, ref) {
    const reply = await api.getAuth(ref);
    return { settings: authSettings(reply), secretDigests: digestsOf(reply) };
  },
  async write(api, ref, changes) {
    return { secretDigests: digestsOf(await api.updateAuth(ref, authChanges(changes))) };
  },
};

const rest: SettingGroup = {
  keys: ['exposedSchemas', 'maxRows'],
  async read(api, ref) {
    const { db_schema, max_rows } = await api.getPostgrest(ref);
    return { settings: { exposedSchemas: listOf(db_schema), maxRows: max_rows } };
  },
  async write(api, ref, { exposedSchemas, maxRows }) {
    await api.updatePostgrest(ref, {
      ...(exposedSchemas === undefined ? {} : { db_schema: exposedSchemas.join(', ') }),
      ...(maxRows === undefined ? {} : { max_rows: maxRows }),
    });
    return {};
  },
};

const ssl: SettingGroup = {
  keys: ['sslEnforced'],
  read: async (api, ref) => ({ settings: { sslEnforced: (await api.getSsl(ref)).currentConfig.database } }),
  async write(api, ref, { sslEnforced }) {
    if (sslEnforced === undefined) return {};
    const { currentConfig } = await api.getSsl(ref);
    if (currentConfig.database === sslEnforced) return {}; // setting it again would restart the database
    const { appliedSuccessfully } = await api.setSsl(ref, sslEnforced);
    if (!appliedSuccessfully) throw new Error(`the SSL enforcement of project ${ref} was not applied: update again`);
    return {};
  },
};

const network: SettingGroup = {
  keys: ['allowedAddresses'],
  async read(api, ref) {
    const { config } = await api.getNetwork(ref);
    return { settings: { allowedAddresses: [...config.dbAllowedCidrs, ...config.dbAllowedCidrsV6] } };
  },
  async write(api, ref, { allowedAddresses }) {
    if (allowedAddresses === undefined) return {};
    const { entitlement } = await api.setNetwork(ref, {
      dbAllowedCidrs: allowedAddresses.filter(isIPv4Network),
      dbAllowedCidrsV6: allowedAddresses.filter((one) => !isIPv4Network(one)),
    });
    if (entitlement === 'disallowed') throw new Error(`the plan of project ${ref} has no network restrictions`);
    return {};
  },
};

/** In the order in which they are written: what can cut connections off comes last. */
export const settingGroups: readonly SettingGroup[] = [auth, rest, network, ssl];

function authSettings(reply: AuthReply): Settings {
  return withoutUndefined({
    siteUrl: reply.site_url || undefined,
    redirectUrls: listOf(reply.uri_allow_list ?? ''),
    signUps: negated(reply.disable_signup),
    email: reply.external_email_enabled ?? undefined,
    emailConfirmation: negated(reply.mailer_autoconfirm),
    google: reply.external_google_enabled ?? undefined,
    googleClientId: reply.external_google_client_id || undefined,
    apple: reply.external_apple_enabled ?? undefined,
    appleClientId: reply.external_apple_client_id || undefined,
  });
}

function authChanges(changes: Settings): Record<string, string | boolean> {
  return withoutUndefined({
    site_url: changes.siteUrl,
    uri_allow_list: changes.redirectUrls?.join(','),
    disable_signup: negated(changes.signUps),
    external_email_enabled: changes.email,
    mailer_autoconfirm: negated(changes.emailConfirmation),
    external_google_enabled: changes.google,
    external_google_client_id: changes.googleClientId,
    external_google_secret: changes.googleClientSecret,
    external_apple_enabled: changes.apple,
    external_apple_client_id: changes.appleClientId,
    external_apple_secret: changes.appleClientSecret,
  });
}

/** Hashed, in case that the API tells a secret itself. */
function digestsOf(reply: AuthReply): Record<string, string> {
  const told = { googleClientSecret: reply.external_google_secret, appleClientSecret: reply.external_apple_secret };
  return Object.fromEntries(
    Object.entries(told).flatMap(([key, text]) =>
      text ? [[key, createHash('sha256').update(text).digest('hex')] as const] : [],
    ),
  );
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(object: T): Given<T> {
  // What is left has exactly the keys whose values are not undefined: the type says so, and the compiler can't see it.
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Given<T>;
}

const negated = (flag: boolean | null | undefined) => (typeof flag === 'boolean' ? !flag : undefined);

const listOf = (text: string): string[] => text.split(',').flatMap((part) => part.trim() || []);
