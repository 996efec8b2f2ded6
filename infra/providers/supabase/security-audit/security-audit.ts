import { differences } from '../../plugin/difference.ts';
import { formatPath } from '../../plugin/property-path.ts';
import type { PropertyDiff, ResourceContext, ResourceDefinition } from '../../plugin/resource.ts';
import type { SupabaseConfig } from '../config.ts';
import { databaseIdOf, withDatabase } from '../database/connection.ts';
import { DatabaseUnreachableError } from '../database/database.ts';
import type { DocumentedResource } from '../schema/documented-resource.ts';
import { type AuditResult, auditDatabase } from './audit.ts';
import { auditRules, exceptionFor, formatFinding } from './finding.ts';
import { changesBetween } from './fingerprint.ts';
import { type AuditInputs, type AuditOutputs, auditInputs, auditOutputs } from './properties.ts';

type Context = ResourceContext<SupabaseConfig>;

/** The database is open, or closed, where it should not be. The message is the list. */
export class SecurityAuditError extends Error {
  override readonly name = 'SecurityAuditError';
}

const definition: ResourceDefinition<AuditInputs, AuditOutputs, SupabaseConfig> = {
  token: 'supabase:index:SecurityAudit',
  inputs: auditInputs,
  replaceOnChanges: [],
  runsAtPreview: true,

  async diff(old, news, context) {
    const changes = differences(old.inputs, news);
    if (changes.length > 0) return changes;
    if ((old.outputs.findings ?? []).length > 0) return [{ path: 'findings', kind: 'update' }];
    return driftOf(old.outputs, news, context);
  },

  async create(wanted, context) {
    const id = databaseIdOf(wanted, context);
    return { id, outputs: await audit(wanted, undefined, context) };
  },

  async update(_id, old, wanted, context) {
    // What a migration changed is meant; without one, somebody changed it by hand.
    const isSameSchema = old.inputs.schemaVersion === wanted.schemaVersion;
    return audit(wanted, isSameSchema ? old.outputs.fingerprints : undefined, context);
  },

  async read(id, { inputs: stored }, context) {
    if (!stored)
      throw new Error('supabase:index:SecurityAudit is not imported: declare it, and it looks at the database');
    const result = await withDatabase(stored, context, 'update', (database) => auditDatabase(database, stored));
    return { id, inputs: stored, outputs: outputsOf(stored, result) };
  },

  async delete() {
    // It made nothing.
  },
};

export const securityAudit: DocumentedResource<AuditInputs, AuditOutputs> = {
  definition,
  inputs: auditInputs,
  outputs: auditOutputs,
  description: `Fails the update when the database is open where it should not be. It changes nothing; it is to depend on the
migrations, and what serves the data on it.

It looks at the schemas that the API serves and at \`storage\`, in the catalogue. Policies are judged by what their parsed
expressions come to for a caller without a key of their own, for another user, and for a row without an owner. Each finding
names the object, what is so, why it matters, and the SQL that mends it. Rules, by the names that \`exceptions\` use:

${Object.entries(auditRules)
  .map(([rule, why]) => `- \`${rule}\`: ${why}`)
  .join('\n')}

In \`storage\`, which the platform makes, tables without a policy and the platform's own grants and functions are as they
should be; what belongs to a role \`supabase_…\` is the platform's.

A preview looks at the database as it is before the update, and tells what it finds without failing; when the database
can't be reached, it says what it could not check. What was changed by hand shows in a preview by the object's name
(\`fingerprints\`) and, as \`findings\`, in \`pulumi refresh\`; the next update fails on what it finds, and warns of other changes.
What it does not see: whether an expression names the right column, and what functions do that a policy calls.`,
  example: `const schema = new supabase.Migrations('schema', { directory: 'migrations' });
new supabase.SecurityAudit('audit', {
  schemas: ['public'],
  forced: ['public'],
  exceptions: { 'no-policy public.jobs': 'only the server reads it, with its secret key' },
  schemaVersion: schema.head,
});`,
};

/** `known`: what was there after the last audit, if no migration came between. */
async function audit(
  wanted: AuditInputs,
  known: AuditOutputs['fingerprints'],
  context: Context,
): Promise<AuditOutputs> {
  if (context.preview) return preview(wanted, context);
  const result = await withDatabase(wanted, context, 'update', (database) => auditDatabase(database, wanted));
  if (result.findings.length > 0) throw new SecurityAuditError(listing(result));
  for (const name of result.unused) context.warn(`exception "${name}" is for nothing that was found: remove it`);
  const changes = known === undefined ? [] : changesBetween(known, result.fingerprints);
  if (changes.length > 0) {
    const words = { add: 'is new', delete: 'is gone', update: 'is another' };
    context.warn(
      `changed since the last audit, and by no migration: ${changes.map(({ name, kind }) => `${name} ${words[kind]}`).join(', ')}`,
    );
  }
  return outputsOf(wanted, result);
}

/** Tells what an audit of the database as it is now would find; what it will be after the update is not known. */
async function preview(wanted: AuditInputs, context: Context): Promise<AuditOutputs> {
  try {
    const result = await withDatabase(wanted, context, 'preview', (database) => auditDatabase(database, wanted));
    if (result.findings.length > 0) context.warn(`Before this update: ${listing(result)}`);
  } catch (error) {
    if (!(error instanceof DatabaseUnreachableError)) throw error;
    context.warn(`${error.message}. ${notChecked(wanted)}`);
  }
  return { schemas: wanted.schemas };
}

async function driftOf(known: AuditOutputs, wanted: AuditInputs, context: Context): Promise<readonly PropertyDiff[]> {
  try {
    const { fingerprints } = await withDatabase(wanted, context, 'preview', (database) =>
      auditDatabase(database, wanted),
    );
    return changesBetween(known.fingerprints ?? {}, fingerprints).map(({ name, kind }) => ({
      path: formatPath(['fingerprints', name]),
      kind,
    }));
  } catch (error) {
    if (!(error instanceof DatabaseUnreachableError)) throw error;
    context.warn(`${error.message}. ${notChecked(wanted)}`);
    return [];
  }
}

const notChecked = ({ schemas }: AuditInputs) =>
  `Not checked: row-level security, policies, views, functions, grants and default privileges of ${[...schemas, 'storage'].join(', ')}.`;

function listing({ findings, checked }: AuditResult): string {
  const looked = `${checked.tables} tables, ${checked.policies} policies, ${checked.functions} functions`;
  const count = findings.length === 1 ? 'one finding' : `${findings.length} findings`;
  return `the security audit has ${count} (${looked}):\n${findings.map(formatFinding).join('\n')}`;
}

function outputsOf({ schemas }: AuditInputs, result: AuditResult): AuditOutputs {
  const { findings, accepted, checked, fingerprints, digest } = result;
  return { schemas, findings: findings.map(exceptionFor), accepted: [...accepted], checked, fingerprints, digest };
}
