/** What an audit looks for: why it matters, by the name that an exception uses. */
export const auditRules = {
  'no-rls': 'row-level security is off: whoever has a grant on it reads and writes every row',
  'rls-not-forced': 'its owner, and every definer function of that owner, goes around row-level security',
  'no-policy': 'row-level security lets nobody in but who bypasses it: a policy was forgotten, or dropped',
  'policy-for-anon': 'whoever knows the public key gets through it, without signing in',
  'policy-null-owner': 'rows that belong to nobody are open to everybody who is signed in',
  'policy-for-everyone': 'everybody who is signed in gets through it, to everybody’s rows',
  'policy-unclear': 'it could not be judged, so nobody knows whom it lets in',
  'view-of-its-owner': 'it reads as its owner, so row-level security of what it reads does not hold for the caller',
  'materialized-view': 'row-level security can’t be put on it: every reader sees all of it',
  'foreign-table': 'row-level security can’t be put on it: every reader sees all of it',
  'definer-search-path': 'it runs as its owner, and takes what it calls from wherever the caller’s search path leads',
  'definer-for-anon': 'it runs as its owner, for whoever knows the public key',
  'function-for-anon': 'whoever knows the public key can call it, without signing in',
  'granted-to-anon': 'row-level security is all that is left between it and whoever knows the public key',
  'default-privileges': 'what is made from now on is open to whoever knows the public key, until somebody revokes that',
  'schema-create': 'a caller can make objects in it that others take for the real ones',
  'server-locked-out': 'the server can’t read and write it with its secret key',
} as const;

export type AuditRule = keyof typeof auditRules;

/** One thing that is open, or closed, as it should not be. */
export interface Finding {
  readonly rule: AuditRule;
  /** Such as `public.messages`, `public.f(uuid)`, or `public.messages "name of a policy"`. */
  readonly object: string;
  /** What is so. */
  readonly what: string;
  /** The SQL that mends it, to go into a migration. */
  readonly remedy: string;
}

/** What an exception for a finding is named: `<rule> <object>`. */
export const exceptionFor = ({ rule, object }: Pick<Finding, 'rule' | 'object'>): string => `${rule} ${object}`;

export function formatFinding(finding: Finding): string {
  const { rule, object, what, remedy } = finding;
  return `- ${object}: ${what}. ${capital(auditRules[rule])}.\n    mend it: ${remedy}\n    or intend it: exceptions: { ${JSON.stringify(exceptionFor(finding))}: '<reason>' }`;
}

const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

const plain = /^[a-z_][a-z0-9_$]*$/;
const quoted = (identifier: string) => (plain.test(identifier) ? identifier : `"${identifier.replaceAll('"', '""')}"`);

/** `schema.name`, quoted where PostgreSQL needs it. */
export const objectName = (schema: string, name: string): string => `${quoted(schema)}.${quoted(name)}`;
export const policyName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
