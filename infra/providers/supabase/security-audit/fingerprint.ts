import { createHash } from 'node:crypto';
import { objectName, policyName } from './finding.ts';
import type { SecuritySnapshot } from './snapshot.ts';
import { isPlatforms } from './table-findings.ts';

const hash = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/**
 * What decides who reaches what, by object: a hash that stays the same for as long as nobody changes it. The platform's
 * own functions and grants are left out, they change with its versions.
 */
export function fingerprintsOf(snapshot: SecuritySnapshot): Record<string, string> {
  const { schemas, tables, sequences, policies, functions, defaults } = snapshot;
  const parts: [string, unknown][] = [
    ...schemas.map((schema): [string, unknown] => [`schema ${schema.schema}`, schema]),
    ...tables.map((table): [string, unknown] => {
      const { rowSecurity, rowSecurityForced } = table;
      const known = isPlatforms(table) ? { rowSecurity, rowSecurityForced } : table;
      return [`${table.kind} ${objectName(table.schema, table.name)}`, known];
    }),
    ...sequences.map((sequence): [string, unknown] => [
      `sequence ${objectName(sequence.schema, sequence.name)}`,
      sequence,
    ]),
    ...policies.map((policy): [string, unknown] => [
      `policy ${policyName(policy.name)} on ${objectName(policy.schema, policy.table)}`,
      policy,
    ]),
    ...functions
      .filter((routine) => !isPlatforms(routine))
      .map((routine): [string, unknown] => [`function ${routine.signature}`, routine]),
    ...defaults
      .filter((entry) => !isPlatforms(entry))
      .map((entry): [string, unknown] => [
        `default privileges on ${entry.objects} in ${entry.schema} by ${entry.owner}`,
        entry,
      ]),
  ];
  return Object.fromEntries(parts.map(([name, value]) => [name, hash(value).slice(0, 16)]).sort());
}

export const digestOf = (fingerprints: Readonly<Record<string, string>>): string =>
  hash(Object.entries(fingerprints).sort());

/** What was added, removed or changed, each in words. */
export function changesBetween(
  old: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): { name: string; kind: 'add' | 'delete' | 'update' }[] {
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].sort().flatMap((name) => {
    if (old[name] === now[name]) return [];
    return [{ name, kind: old[name] === undefined ? 'add' : now[name] === undefined ? 'delete' : 'update' }];
  });
}
