import { z } from 'zod';

/** Milliseconds, if the upstream says nothing else. */
const defaults = { connect: 5_000, first_byte: 60_000, between_bytes: 30_000, total: 300_000 } as const;

const time = (most: number, usual: number) =>
  z.int('is no whole number of milliseconds').min(10, 'is below 10').max(most, `is above ${most}`).default(usual);

const timeouts = z.strictObject({
  /** Until the connection stands. */
  connect: time(60_000, defaults.connect),
  /** From the request to the first byte of its answer. */
  first_byte: time(600_000, defaults.first_byte),
  /** Between two bytes of the answer. */
  between_bytes: time(600_000, defaults.between_bytes),
  /** For all of it, with what is tried again. */
  total: time(3_600_000, defaults.total),
});

const modelName = z.string('is missing').min(1, 'is empty').max(200, 'is longer than 200 characters');

const upstream = z.strictObject({
  /** Where `/chat/completions` is, without it. */
  url: z
    .string('is missing: an address such as https://api.example.com/v1')
    .refine(
      (text) => /^https?:\/\//.test(text) && URL.canParse(text),
      'is no address such as https://api.example.com/v1',
    )
    .refine((text) => !URL.canParse(text) || !/[@?#]/.test(text), 'has a password, a query or a fragment in it'),
  /** What answers when the request does not name a model. */
  model: modelName,
  /** What else may be asked for. */
  models: z.array(modelName).max(100, 'are more than 100').default([]),
  api_key: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'is not one word of ASCII characters')
    .optional(),
  timeouts: timeouts.prefault({}),
  /** How often a request is tried again that was never answered. */
  retries: z.int('is no whole number').min(0, 'is below 0').max(5, 'is above 5').default(2),
  /** How much is sent at once; of a longer thread the oldest messages are left out. */
  max_request_bytes: z
    .int('is no whole number of bytes')
    .min(1024, 'is below 1024')
    .max(64 * 1024 * 1024, 'is above 64 MiB')
    .default(4 * 1024 * 1024),
});

/** An OpenAI-compatible provider of models. */
export type Upstream = z.output<typeof upstream> & { readonly name: string };

const name = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, 'is no name of lower-case letters, digits, "-" and "_"');

/**
 * The file that CHAT_UPSTREAMS_FILE names: `{"default": "glm", "upstreams": {"glm": {"url", "model", "api_key"}}}`. It
 * holds keys, so it is a secret itself. With one upstream `default` can be left out.
 */
export const upstreamsFile = z
  .strictObject({ default: z.string().optional(), upstreams: z.record(name, upstream) })
  .superRefine((file, context) => {
    const names = Object.keys(file.upstreams);
    if (names.length === 0) context.addIssue({ code: 'custom', path: ['upstreams'], message: 'is empty' });
    if (file.default === undefined && names.length > 1) {
      context.addIssue({ code: 'custom', path: ['default'], message: `is missing: one of ${names.join(', ')}` });
    }
    if (file.default !== undefined && !names.includes(file.default)) {
      context.addIssue({ code: 'custom', path: ['default'], message: `is none of ${names.join(', ')}` });
    }
  })
  .transform((file): Upstreams => {
    const upstreams = Object.entries(file.upstreams).map(([key, settings]) => ({ name: key, ...settings }));
    const standard = upstreams.find((each) => each.name === file.default) ?? upstreams[0];
    return { upstreams, standard };
  });

export interface Upstreams {
  readonly upstreams: readonly Upstream[];
  /** The one that is asked when a request names none; undefined when none is configured. */
  readonly standard: Upstream | undefined;
}

export const noUpstreams: Upstreams = { upstreams: [], standard: undefined };
