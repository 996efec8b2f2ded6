import * as pulumi from "@pulumi/pulumi";
/**
 * A directory of SQL migrations, applied in order to a PostgreSQL database.
 *
 * - Every file is one transaction, together with its row in the ledger `supabase_migrations.schema_migrations`, which the
 *   Supabase CLI reads and writes as well. With it, PostgREST is told to reload the schema.
 * - A file with one statement that can't run in a transaction, such as `create index concurrently`, begins with the line
 *   `-- migrate: no-transaction`.
 * - Every file is parsed by PostgreSQL's own parser before any runs. An error names file and line, nothing of that file
 *   is applied, and the next update goes on from there.
 * - The preview lists the files that would run, and says so when the database can't be reached.
 * - What would stop or break a service that runs is refused before anything runs, with the safe form: table rewrites, indexes
 *   and constraints built under a lock on a table with rows, drops, renames, row-level security switched off. `-- allow: <rule>:
 *   <reason>` above a statement lets it through; a file that takes away what earlier releases use says so in its header,
 *   `-- contract: <reason>`. Rules: [migrations](../migrations.md).
 * - An applied file that was edited or is missing, and a new file before the newest applied one, are errors that say how to
 *   go on. Applied migrations are never undone: deleting the resource leaves schema, data and ledger.
 * - Of two updates at once the second waits.
 *
 * ## Example
 *
 * ```typescript
 * const schema = new supabase.Migrations('schema', {
 *   directory: 'migrations',
 *   databaseUrl: new pulumi.Config().requireSecret('databaseUrl'),
 * });
 * export const head = schema.head;
 * ```
 */
export declare class Migrations extends pulumi.CustomResource {
    /**
     * Get an existing Migrations resource's state with the given name, ID, and optional extra
     * properties used to qualify the lookup.
     *
     * @param name The _unique_ name of the resulting resource.
     * @param id The _unique_ provider ID of the resource to lookup.
     * @param opts Optional settings to control the behavior of the CustomResource.
     */
    static get(name: string, id: pulumi.Input<pulumi.ID>, opts?: pulumi.CustomResourceOptions): Migrations;
    /**
     * Returns true if the given object is an instance of Migrations.  This is designed to work even
     * when multiple copies of the Pulumi SDK have been loaded into the same process.
     */
    static isInstance(obj: any): obj is Migrations;
    /**
     * Applied migrations, `<version>_<name>`, in order: what the ledger says.
     */
    readonly applied: pulumi.Output<string[]>;
    /**
     * The applied migrations that take away what earlier releases use, each with its reason: nothing from before one of them can be rolled back to.
     */
    readonly contracts: pulumi.Output<{
        [key: string]: string;
    }>;
    /**
     * Directory of files named `<version>_<name>.sql`, relative to the folder of `Pulumi.yaml`. The versions are digits, all of the same length.
     */
    readonly directory: pulumi.Output<string>;
    /**
     * SHA-256 of each file, by its name.
     */
    readonly files: pulumi.Output<{
        [key: string]: string;
    }>;
    /**
     * Version of the newest applied migration; empty when there is none.
     */
    readonly head: pulumi.Output<string>;
    /**
     * Create a Migrations resource with the given unique name, arguments, and options.
     *
     * @param name The _unique_ name of the resource.
     * @param args The arguments to use to populate this resource's properties.
     * @param opts A bag of options that control this resource's behavior.
     */
    constructor(name: string, args: MigrationsArgs, opts?: pulumi.CustomResourceOptions);
}
/**
 * The set of arguments for constructing a Migrations resource.
 */
export interface MigrationsArgs {
    /**
     * Applied migrations, `<version>_<name>`, that the directory need not have: those of newer releases, where an older one is gone back to.
     */
    ahead?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * Connection to the database, direct or through the session pooler: `postgres://postgres:<password>@<host>:5432/postgres?sslmode=require`. Default: that of the provider. Given here, the files are checked at preview even while it is not known yet.
     */
    databaseUrl?: pulumi.Input<string | undefined>;
    /**
     * Directory of files named `<version>_<name>.sql`, relative to the folder of `Pulumi.yaml`. The versions are digits, all of the same length.
     */
    directory: pulumi.Input<string>;
}
