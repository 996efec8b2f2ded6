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
import { restate } from './restatement.ts';

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
    return { id, outputs: await audit(wanted, undefined, [], context) };
  },

  async update(_id, old, wanted, context) {
    // What a migration changed is meant; without one, somebody changed it by hand.
    const isSameSchema = old.inputs.schemaVersion === wanted.schemaVersion;
    return audit(wanted, isSameSchema ? old.outputs.fingerprints : undefined, changedIn(old.outputs), context);
  },

  async read(id, { inputs: stored, outputs: known }, context) {
    if (!stored || !known)
      throw new Error('supabase:index:SecurityAudit is not imported: declare it, and it looks at the database');
    try {
      const result = await withDatabase(stored, context, 'preview', (database) => auditDatabase(database, stored));
      const now = outputsOf(stored, result);
      const { fingerprints = {}, digest } = known;
      const changes = changesBetween(fingerprints, result.fingerprints).map(inWords);
      // What was there after the last audit stays known: the update that follows is to see what became of it.
      const outputs = { ...now, fingerprints, ...(digest === undefined ? {} : { digest }) };
      return { id, inputs: stored, outputs: { ...outputs, findings: [...(now.findings ?? []), ...changes] } };
    } catch (error) {
      if (!(error instanceof DatabaseUnreachableError)) throw error;
      // It may be what the update that asks is about to start again.
      context.warn(`${error.message}. ${notChecked(stored)}`);
      return { id, inputs: stored, outputs: known };
    }
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
(\`fingerprints\`) and, as \`findings\`, in \`pulumi refresh\`. The next update makes policies and row-level security again as the
ledger says that migrations made them; it fails on what is open then, and warns of other changes.
What it does not see: whether an expression names the right column, and what functions do that a policy calls.`,
  example: `const schema = new supabase.Migrations('schema', { directory: 'migrations' });
new supabase.SecurityAudit('audit', {
  schemas: ['public'],
  forced: ['public'],
  exceptions: { 'no-policy public.jobs': 'only the server reads it, with its secret key' },
  schemaVersion: schema.head,
});`,
};

/**
 * Policies and row-level security that were changed by hand are made again as the migrations stated them.
 *
 * @param known what was there after the last audit, if no migration came between
 * @param changed names of what was found changed by a refresh
 */
async function audit(
  wanted: AuditInputs,
  known: AuditOutputs['fingerprints'],
  changed: readonly string[],
  context: Context,
): Promise<AuditOutputs> {
  if (context.preview) return preview(wanted, context);
  const result = await withDatabase(wanted, context, 'update', async (database) => {
    const found = await auditDatabase(database, wanted);
    const changes = known === undefined ? [] : changesBetween(known, found.fingerprints).map(({ name }) => name);
    const mended = await restate(database, [...changed, ...changes]);
    if (mended.length === 0) return found;
    context.warn(`changed by hand, and made again as the migrations state it: ${mended.join(', ')}`);
    return auditDatabase(database, wanted);
  });
  if (result.findings.length > 0) throw new SecurityAuditError(listing(result));
  for (const name of result.unused) context.warn(`exception "${name}" is for nothing that was found: remove it`);
  const changes = known === undefined ? [] : changesBetween(known, result.fingerprints);
  if (changes.length > 0) {
    context.warn(`changed since the last audit, and by no migration: ${changes.map(inWords).join(', ')}`);
  }
  return outputsOf(wanted, result);
}

type Change = ReturnType<typeof changesBetween>[number];

const words = { add: 'is new', delete: 'is gone', update: 'is another' } as const;
const inWords = ({ name, kind }: Change): string => `${name} ${words[kind]}`;

/** Names of the objects that a refresh found changed. */
function changedIn({ findings = [] }: AuditOutputs): string[] {
  return findings.flatMap((finding) => /^(.*) is (?:new|gone|another)$/s.exec(finding)?.[1] ?? []);
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
