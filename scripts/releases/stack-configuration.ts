import { z } from 'zod';

type Json = z.output<ReturnType<typeof z.json>>;

/** The configuration of a stack as a history keeps it: secrets encrypted, and nothing here decrypts them. */
export interface StackConfiguration {
  /** By full key, `conversation-kit:logLevel`; a secret is `{ secure: … }`. */
  readonly values: Readonly<Record<string, Json>>;
  /** What the secrets are encrypted with, as the head of a `Pulumi.<stack>.yaml` says it. */
  readonly encryption: Readonly<Record<string, string>>;
}

const passphrase = z.object({ type: z.literal('passphrase'), state: z.object({ salt: z.string() }) });
const cloud = z.object({
  type: z.literal('cloud'),
  state: z.object({ url: z.string(), encryptedkey: z.string() }),
});

export function stackConfiguration(values: StackConfiguration['values'], secretsProvider: unknown): StackConfiguration {
  const byPassphrase = passphrase.safeParse(secretsProvider);
  const byService = cloud.safeParse(secretsProvider);
  if (byPassphrase.success) return { values, encryption: { encryptionsalt: byPassphrase.data.state.salt } };
  if (!byService.success) return { values, encryption: {} };
  const { url, encryptedkey } = byService.data.state;
  return { values, encryption: { secretsprovider: url, encryptedkey } };
}

/** The text of a `Pulumi.<stack>.yaml`. Every value is JSON, which YAML includes. */
export function stackFileText({ values, encryption }: StackConfiguration): string {
  const line =
    (indent: string) =>
    ([key, value]: [string, unknown]) =>
      `${indent}${key}: ${JSON.stringify(value)}\n`;
  const sorted = Object.entries(values).sort(([left], [right]) => (left < right ? -1 : 1));
  const config = sorted.length > 0 ? `config:\n${sorted.map(line('  ')).join('')}` : 'config: {}\n';
  return Object.entries(encryption).map(line('')).join('') + config;
}

/** Whether there is a secret anywhere in a value. */
export function isSecret(value: Json | undefined): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(isSecret);
  return Object.keys(value).length === 1 && typeof value.secure === 'string'
    ? true
    : Object.values(value).some(isSecret);
}
