import { z } from 'zod';
import { databaseUrlSchema } from '../database/database-url.ts';
import { auditRules } from './finding.ts';

const names = (what: string) => z.array(z.string().min(1, 'must not be empty')).describe(what);
const rules = Object.keys(auditRules);

const schemas = z
  .array(z.string().min(1, 'must not be empty'))
  .min(1, 'must name a schema')
  .describe('Schemas that the API serves. `storage` is looked at beside them.');
const exceptions = z.record(z.string(), z.string().trim().min(1, 'must give the reason'));

export const auditInputs = z.strictObject({
  databaseUrl: databaseUrlSchema
    .optional()
    .describe('Connection to the database, as of `Migrations`. Default: that of the provider.')
    .meta({ secret: true }),
  schemas: schemas.default(['public']),
  forced: names(
    'Schemas and tables (`schema.table`) in which row-level security has to be forced, so that it holds for the owner as well.',
  ).default([]),
  exceptions: exceptions
    .superRefine((given, check) => {
      for (const name of Object.keys(given)) {
        const [rule = '', ...object] = name.split(' ');
        if (rules.includes(rule) && object.length > 0) continue;
        const message = `must be "<rule> <object>", as a finding names it; the rules are ${rules.join(', ')}`;
        check.addIssue({ code: 'custom', path: [name], message });
      }
    })
    .default({})
    .describe('What is meant to be as it is: the reason, by `<rule> <object>` as a finding names it.'),
  schemaVersion: z
    .string()
    .optional()
    .describe(
      '`head` of the migrations before it: after another one everything is looked at anew, and the preview says so.',
    ),
});
export type AuditInputs = z.output<typeof auditInputs>;

export const auditOutputs = z.strictObject({
  schemas,
  findings: z
    .array(z.string())
    .describe(
      'What is not as it should be. Empty after an update; what was changed by hand since shows after a refresh.',
    ),
  accepted: z.array(z.string()).describe('Findings that an exception intends, `<rule> <object>`.'),
  checked: z
    .record(z.string(), z.int())
    .describe('Number of objects that were looked at: `tables`, `views`, `policies`, `functions`.'),
  fingerprints: z
    .record(z.string(), z.string())
    .describe(
      'A hash of each object’s part in who reaches what: policies, grants, settings, definitions of functions.',
    ),
  digest: z.string().describe('SHA-256 of all of them: the same for as long as nobody changes any.'),
});
/** At a preview everything but the schemas may be unknown. */
export type AuditOutputs = Pick<z.output<typeof auditOutputs>, 'schemas'> & Partial<z.output<typeof auditOutputs>>;
