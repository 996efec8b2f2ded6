import * as pulumi from '@pulumi/pulumi';
import * as supabase from '@pulumi/supabase';
import type { ProjectAdministration } from './project.ts';

export interface ConversationSchemaArgs {
  readonly project: ProjectAdministration;
  /** Folder of the migrations, from the project's root. */
  readonly migrations: string;
  /** Applied migrations that the folder need not have. */
  readonly ahead?: readonly string[] | undefined;
}

/** The private buckets, by name. */
export const buckets: Record<string, Pick<supabase.BucketArgs, 'fileSizeLimit' | 'allowedMimeTypes'>> = {
  'user-files': { fileSizeLimit: '50MB', allowedMimeTypes: ['text/*', 'application/pdf', 'image/*'] },
  'generated-files': { fileSizeLimit: '10MB', allowedMimeTypes: ['text/*', 'application/json'] },
  'mcp-files': { fileSizeLimit: '50MB' },
};

/**
 * What the kit puts into a Supabase project: tables, policies and functions by migration, and the private buckets. The
 * update stops when the database is open afterwards where it should not be.
 */
export class ConversationSchema extends pulumi.ComponentResource {
  /** Version of the newest applied migration. */
  readonly head: pulumi.Output<string>;
  /** Applied migrations that take away what earlier releases use, with their reasons: no rollback goes behind one. */
  readonly contracts: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: ConversationSchemaArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:supabase:ConversationSchema', name, {}, opts);
    const { url, secretKey, database, ready } = args.project;
    const provider = new supabase.Provider(
      name,
      { url, secretKey, ...database },
      { parent: this, dependsOn: [...ready] },
    );
    const own = { parent: this, provider };

    const migrations = new supabase.Migrations(
      `${name}-migrations`,
      { directory: args.migrations, ...(args.ahead ? { ahead: [...args.ahead] } : {}) },
      own,
    );
    // A bucket outlives the stack as the data in it does, and is taken over again as it was. Protected, it would keep
    // everything that it depends on running when the rest is taken down.
    for (const [bucket, limits] of Object.entries(buckets)) {
      new supabase.Bucket(
        bucket,
        { name: bucket, public: false, ...limits },
        { ...own, dependsOn: migrations, retainOnDelete: true },
      );
    }
    const audit = new supabase.SecurityAudit(
      `${name}-audit`,
      { schemas: ['public'], forced: ['public'], schemaVersion: migrations.head },
      { ...own, dependsOn: migrations },
    );
    this.head = audit.id.apply(() => migrations.head);
    this.contracts = migrations.contracts;
    this.registerOutputs({ head: this.head, contracts: this.contracts });
  }
}
