import type { Database } from '../database/database.ts';
import { accessFindings } from './access-findings.ts';
import { exceptionFor, type Finding } from './finding.ts';
import { digestOf, fingerprintsOf } from './fingerprint.ts';
import { policyFindings } from './policy-findings.ts';
import { type SecuritySnapshot, takeSnapshot } from './snapshot.ts';
import { tableFindings } from './table-findings.ts';

export interface AuditSettings {
  /** Schemas that the API serves; `storage` is looked at beside them. */
  readonly schemas: readonly string[];
  readonly forced: readonly string[];
  /** Reasons, by `<rule> <object>`. */
  readonly exceptions: Readonly<Record<string, string>>;
}

export interface AuditResult {
  /** What is not as it should be, and no exception intends. */
  readonly findings: readonly Finding[];
  /** Findings that an exception intends, as it names them. */
  readonly accepted: readonly string[];
  /** Exceptions for which there is no finding. */
  readonly unused: readonly string[];
  /** Number of objects looked at, by their kind. */
  readonly checked: Readonly<Record<string, number>>;
  readonly fingerprints: Readonly<Record<string, string>>;
  readonly digest: string;
}

/** Looks at a database; changes nothing. Throws `NoSupabaseRolesError`. */
export async function auditDatabase(database: Database, settings: AuditSettings): Promise<AuditResult> {
  return judgeSnapshot(await takeSnapshot(database, [...new Set([...settings.schemas, 'storage'])]), settings);
}

export function judgeSnapshot(snapshot: SecuritySnapshot, settings: AuditSettings): AuditResult {
  const all = [...tableFindings(snapshot, settings), ...policyFindings(snapshot), ...accessFindings(snapshot)];
  const names = new Set(all.map(exceptionFor));
  const intended = new Set(Object.keys(settings.exceptions));
  const fingerprints = fingerprintsOf(snapshot);
  const ofKind = (kind: string) => snapshot.tables.filter((table) => table.kind === kind).length;
  return {
    findings: all.filter((finding) => !intended.has(exceptionFor(finding))),
    accepted: [...names].filter((name) => intended.has(name)).sort(),
    unused: [...intended].filter((name) => !names.has(name)).sort(),
    checked: {
      tables: ofKind('table'),
      views: ofKind('view') + ofKind('materialized view') + ofKind('foreign table'),
      policies: snapshot.policies.length,
      functions: snapshot.functions.length,
    },
    fingerprints,
    digest: digestOf(fingerprints),
  };
}
