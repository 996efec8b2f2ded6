import { bucket } from './bucket/bucket.ts';
import { migrations } from './migrations/migrations.ts';
import { project } from './project/project.ts';
import { projectSettings } from './project-settings/project-settings.ts';
import { securityAudit } from './security-audit/security-audit.ts';

/** Every resource of the provider: what it serves, what its schema, SDK and reference are made from. */
export const resources = [project, projectSettings, bucket, migrations, securityAudit] as const;
