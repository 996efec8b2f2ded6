import { isIPv4 } from 'node:net';
import { z } from 'zod';
import { projectRef } from '../config.ts';

const text = z.string().min(1, 'must not be empty');
const withoutComma = text.regex(/^[^,]+$/, 'must not contain a comma');
const url = withoutComma.refine((given) => URL.canParse(given), 'must be a URL such as https://example.com');
const secret = text.meta({ secret: true });

const isNetwork = (given: string) => z.union([z.cidrv4(), z.cidrv6()]).safeParse(given).success;

export const settingsInputs = z.strictObject({
  ref: projectRef.describe('Ref of the project. Another ref is another project.'),
  siteUrl: url.optional().describe('Where Auth sends people back to when a link names no other place.'),
  redirectUrls: z
    .array(withoutComma)
    .optional()
    .describe('Further places that Auth may send people to; `*` and `**` stand for parts of a URL. The whole list.'),
  signUps: z.boolean().optional().describe('Whether new users can sign up.'),
  email: z.boolean().optional().describe('Whether people can sign in with an e-mail address.'),
  emailConfirmation: z
    .boolean()
    .optional()
    .describe('Whether an e-mail address has to be confirmed before the first sign-in.'),
  google: z.boolean().optional().describe('Whether people can sign in with Google.'),
  googleClientId: text.optional().describe('OAuth client id; several are separated by commas.'),
  googleClientSecret: secret.optional().describe('Its secret.'),
  apple: z.boolean().optional().describe('Whether people can sign in with Apple.'),
  appleClientId: text.optional().describe('Services id, and bundle ids of apps; several are separated by commas.'),
  appleClientSecret: secret.optional().describe('Client secret: a token that Apple lets live for six months at most.'),
  exposedSchemas: z
    .array(text.regex(/^[^,\s]+$/, 'must be the name of a schema'))
    .min(1, 'must name a schema')
    .optional()
    .describe('Schemas that the REST API serves; the first is the default. The whole list.'),
  maxRows: z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(1_000_000, 'must be at most 1000000')
    .optional()
    .describe('Most rows in one reply of the REST API.'),
  sslEnforced: z
    .boolean()
    .optional()
    .describe('Whether the database refuses connections without TLS. A change restarts it.'),
  allowedAddresses: z
    .array(z.string().refine(isNetwork, 'must be a network such as 203.0.113.0/24 or 2001:db8::/32'))
    .optional()
    .describe('Networks from which the database can be reached; the REST API is not meant. The whole list.'),
});
export type SettingsInputs = z.output<typeof settingsInputs>;

/** What can be stated: all but the ref. */
export type Settings = Omit<SettingsInputs, 'ref'>;

export const secretKeys = ['googleClientSecret', 'appleClientSecret'] as const satisfies (keyof Settings)[];

export const settingsOutputs = settingsInputs.extend({
  secretDigests: z
    .record(z.string(), z.string())
    .describe('What the API tells of each secret, hashed: by it a change by hand is noticed.'),
});
export type SettingsOutputs = z.output<typeof settingsOutputs>;

export const isIPv4Network = (network: string) => isIPv4(network.split('/')[0] ?? '');
