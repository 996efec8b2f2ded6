import { z } from 'zod';
import { reasonOf } from '../http/resilient-fetch.ts';

/** A request to the Management API failed for good. Neither the token nor what was sent is in it. */
export class ManagementRequestError extends Error {
  override readonly name = 'ManagementRequestError';
  /** HTTP status; undefined when no whole reply came. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }

  get isNotFound(): boolean {
    return this.status === 404;
  }

  /** True when it can't be told whether the request was carried out. */
  get isUncertain(): boolean {
    return this.status === undefined || this.status < 400 || this.status >= 500;
  }
}

const hints: Readonly<Record<number, string>> = {
  401: ': is SUPABASE_ACCESS_TOKEN, or supabase:accessToken, a token that is still valid?',
  403: ': may the account of the token do that in this organization?',
};

const errorReply = z.object({ message: z.union([z.string(), z.array(z.string()).transform((all) => all.join(', '))]) });

/** The error for a reply that refuses. `secrets` are taken out of what the API says. */
export async function refusal(what: string, response: Response, secrets: readonly string[]) {
  const parsed = errorReply.safeParse(jsonOf(await response.text()));
  const said = parsed.success ? withoutSecrets(parsed.data.message, secrets).slice(0, 500) : 'no message';
  const { status } = response;
  return new ManagementRequestError(`${what} failed: ${said} (HTTP ${status})${hints[status] ?? ''}`, status);
}

/** The error for a reply that did not come, or not whole. */
export function lostReply(what: string, host: string, error: unknown): ManagementRequestError {
  return new ManagementRequestError(`${what} failed: no answer from ${host}: ${reasonOf(error)}`, undefined, {
    cause: error,
  });
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no JSON: the schema it is parsed with says so
  }
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length > 0)
    .reduce((shown, secret) => shown.replaceAll(secret, '[secret]'), text);
}
