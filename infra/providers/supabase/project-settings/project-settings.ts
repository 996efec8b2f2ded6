import { isDeepStrictEqual } from 'node:util';
import { differences } from '../../plugin/difference.ts';
import type { ResourceDefinition } from '../../plugin/resource.ts';
import type { SupabaseConfig } from '../config.ts';
import { managementApiOf } from '../management/connection.ts';
import type { ManagementApi } from '../management/management-api.ts';
import type { DocumentedResource } from '../schema/documented-resource.ts';
import {
  type Settings,
  type SettingsInputs,
  type SettingsOutputs,
  secretKeys,
  settingsInputs,
  settingsOutputs,
} from './properties.ts';
import { settingGroups } from './setting-groups.ts';

/** Settings of a hosted project, through the Management API. Its id is the project's ref. */
const definition: ResourceDefinition<SettingsInputs, SettingsOutputs, SupabaseConfig> = {
  token: 'supabase:index:ProjectSettings',
  inputs: settingsInputs,
  replaceOnChanges: ['ref'],

  diff: async (old, news) => differences(comparable(old.inputs), comparable(news), ['ref']),

  async create(wanted, context) {
    const { ref, ...settings } = wanted;
    return { id: ref, outputs: { ...wanted, secretDigests: await write(managementApiOf(context), ref, settings, {}) } };
  },

  async update(ref, old, wanted, context) {
    const before = comparable(old.inputs);
    const now = comparable(wanted);
    const changes = pick(wanted, (key) => wanted[key] !== undefined && !isDeepStrictEqual(now[key], before[key]));
    const digests = old.outputs.secretDigests ?? {};
    return { ...wanted, secretDigests: await write(managementApiOf(context), ref, changes, digests) };
  },

  async read(ref, { inputs: stored, outputs: known }, context) {
    const api = managementApiOf(context);
    if ((await api.getProject(ref)) === undefined) return undefined;
    const isStated = (key: keyof Settings) => stored === undefined || stored[key] !== undefined;
    const secretDigests = { ...known?.secretDigests };
    let settings: Settings = pick(stored ?? {}, () => true);
    for (const group of settingGroups.filter(({ keys }) => keys.some(isStated))) {
      const found = await group.read(api, ref);
      const changed = secretKeys.filter((key) => found.secretDigests?.[key] !== secretDigests[key]);
      const kept = pick(settings, (key) => !group.keys.includes(key) || isKept(key, changed));
      settings = { ...kept, ...pick(found.settings, isStated) };
    }
    // In the program's notation where that says the same.
    const inputs = { ref, ...settings };
    if (stored)
      Object.assign(
        inputs,
        pick(stored, (key) => isDeepStrictEqual(comparable(inputs)[key], comparable(stored)[key])),
      );
    return { id: ref, inputs, outputs: { ...inputs, secretDigests } };
  },

  async delete(ref, _outputs, context) {
    context.warn(`The settings of project ${ref} stay as they are: nothing says what they were before.`);
  },
};

export const projectSettings: DocumentedResource<SettingsInputs, SettingsOutputs> = {
  definition,
  inputs: settingsInputs,
  outputs: settingsOutputs,
  description: `Settings of a hosted project, through the Management API.

- Only what is stated is managed: what is left out is never sent, and never compared. A setting that is taken out of the
  program, or deleted with the resource, stays as it is in the project.
- What is stated and was changed by hand shows in \`pulumi refresh\`, and the next update sets it back. Of client secrets
  the API tells a digest only: one that was changed shows as removed.
- \`pulumi import supabase:index:ProjectSettings <name> <ref>\` reads all of them; the program keeps those that it wants to
  manage.
- The embedded Supabase has no such settings.`,
  example: `new supabase.ProjectSettings(
  'settings',
  {
    ref: project.ref,
    siteUrl: 'https://example.com',
    redirectUrls: ['https://example.com/**', 'my-app://callback'],
    google: true,
    googleClientId: '<id>.apps.googleusercontent.com',
    googleClientSecret: new pulumi.Config().requireSecret('googleClientSecret'),
    exposedSchemas: ['public'],
    maxRows: 1000,
    sslEnforced: true,
  },
  { provider },
);`,
};

/** Writes the changes group by group. Returns what is known of the secrets then. */
async function write(
  api: ManagementApi,
  ref: string,
  changes: Settings,
  known: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const digests = { ...known };
  for (const group of settingGroups) {
    const own = pick(changes, (key) => group.keys.includes(key));
    if (Object.keys(own).length > 0) Object.assign(digests, (await group.write(api, ref, own)).secretDigests);
  }
  return digests;
}

/** A secret can't be read: it is as it was, unless its digest changed. */
const isKept = (key: keyof Settings, changed: readonly (keyof Settings)[]) =>
  secretKeys.some((secret) => secret === key) && !changed.includes(key);

/** Lists whose order says nothing are ordered. */
function comparable(inputs: SettingsInputs): SettingsInputs {
  const { redirectUrls, allowedAddresses } = inputs;
  return {
    ...inputs,
    ...(redirectUrls ? { redirectUrls: redirectUrls.toSorted() } : {}),
    ...(allowedAddresses ? { allowedAddresses: allowedAddresses.toSorted() } : {}),
  };
}

const names = settingsInputs.omit({ ref: true }).keyof().options;

function pick(from: Settings, isWanted: (key: keyof Settings) => boolean): Settings {
  const wanted = names.filter((key) => from[key] !== undefined && isWanted(key));
  return Object.fromEntries(wanted.map((key) => [key, from[key]]));
}
