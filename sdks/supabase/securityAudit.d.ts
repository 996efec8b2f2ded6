import * as pulumi from "@pulumi/pulumi";
/**
 * Fails the update when the database is open where it should not be. It changes nothing; it is to depend on the
 * migrations, and what serves the data on it.
 *
 * It looks at the schemas that the API serves and at `storage`, in the catalogue. Policies are judged by what their parsed
 * expressions come to for a caller without a key of their own, for another user, and for a row without an owner. Each finding
 * names the object, what is so, why it matters, and the SQL that mends it. Rules, by the names that `exceptions` use:
 *
 * - `no-rls`: row-level security is off: whoever has a grant on it reads and writes every row
 * - `rls-not-forced`: its owner, and every definer function of that owner, goes around row-level security
 * - `no-policy`: row-level security lets nobody in but who bypasses it: a policy was forgotten, or dropped
 * - `policy-for-anon`: whoever knows the public key gets through it, without signing in
 * - `policy-null-owner`: rows that belong to nobody are open to everybody who is signed in
 * - `policy-for-everyone`: everybody who is signed in gets through it, to everybody’s rows
 * - `policy-unclear`: it could not be judged, so nobody knows whom it lets in
 * - `view-of-its-owner`: it reads as its owner, so row-level security of what it reads does not hold for the caller
 * - `materialized-view`: row-level security can’t be put on it: every reader sees all of it
 * - `foreign-table`: row-level security can’t be put on it: every reader sees all of it
 * - `definer-search-path`: it runs as its owner, and takes what it calls from wherever the caller’s search path leads
 * - `definer-for-anon`: it runs as its owner, for whoever knows the public key
 * - `function-for-anon`: whoever knows the public key can call it, without signing in
 * - `granted-to-anon`: row-level security is all that is left between it and whoever knows the public key
 * - `default-privileges`: what is made from now on is open to whoever knows the public key, until somebody revokes that
 * - `schema-create`: a caller can make objects in it that others take for the real ones
 * - `server-locked-out`: the server can’t read and write it with its secret key
 *
 * In `storage`, which the platform makes, tables without a policy and the platform's own grants and functions are as they
 * should be; what belongs to a role `supabase_…` is the platform's.
 *
 * A preview looks at the database as it is before the update, and tells what it finds without failing; when the database
 * can't be reached, it says what it could not check. What was changed by hand shows in a preview by the object's name
 * (`fingerprints`) and, as `findings`, in `pulumi refresh`. The next update makes policies and row-level security again as the
 * ledger says that migrations made them; it fails on what is open then, and warns of other changes.
 * What it does not see: whether an expression names the right column, and what functions do that a policy calls.
 *
 * ## Example
 *
 * ```typescript
 * const schema = new supabase.Migrations('schema', { directory: 'migrations' });
 * new supabase.SecurityAudit('audit', {
 *   schemas: ['public'],
 *   forced: ['public'],
 *   exceptions: { 'no-policy public.jobs': 'only the server reads it, with its secret key' },
 *   schemaVersion: schema.head,
 * });
 * ```
 */
export declare class SecurityAudit extends pulumi.CustomResource {
    /**
     * Get an existing SecurityAudit resource's state with the given name, ID, and optional extra
     * properties used to qualify the lookup.
     *
     * @param name The _unique_ name of the resulting resource.
     * @param id The _unique_ provider ID of the resource to lookup.
     * @param opts Optional settings to control the behavior of the CustomResource.
     */
    static get(name: string, id: pulumi.Input<pulumi.ID>, opts?: pulumi.CustomResourceOptions): SecurityAudit;
    /**
     * Returns true if the given object is an instance of SecurityAudit.  This is designed to work even
     * when multiple copies of the Pulumi SDK have been loaded into the same process.
     */
    static isInstance(obj: any): obj is SecurityAudit;
    /**
     * Findings that an exception intends, `<rule> <object>`.
     */
    readonly accepted: pulumi.Output<string[]>;
    /**
     * Number of objects that were looked at: `tables`, `views`, `policies`, `functions`.
     */
    readonly checked: pulumi.Output<{
        [key: string]: number;
    }>;
    /**
     * SHA-256 of all of them: the same for as long as nobody changes any.
     */
    readonly digest: pulumi.Output<string>;
    /**
     * What is not as it should be. Empty after an update; what was changed by hand since shows after a refresh.
     */
    readonly findings: pulumi.Output<string[]>;
    /**
     * A hash of each object’s part in who reaches what: policies, grants, settings, definitions of functions.
     */
    readonly fingerprints: pulumi.Output<{
        [key: string]: string;
    }>;
    /**
     * Schemas that the API serves. `storage` is looked at beside them.
     */
    readonly schemas: pulumi.Output<string[]>;
    /**
     * Create a SecurityAudit resource with the given unique name, arguments, and options.
     *
     * @param name The _unique_ name of the resource.
     * @param args The arguments to use to populate this resource's properties.
     * @param opts A bag of options that control this resource's behavior.
     */
    constructor(name: string, args?: SecurityAuditArgs, opts?: pulumi.CustomResourceOptions);
}
/**
 * The set of arguments for constructing a SecurityAudit resource.
 */
export interface SecurityAuditArgs {
    /**
     * Connection to the database, as of `Migrations`. Default: that of the provider.
     */
    databaseUrl?: pulumi.Input<string | undefined>;
    /**
     * What is meant to be as it is: the reason, by `<rule> <object>` as a finding names it.
     */
    exceptions?: pulumi.Input<{
        [key: string]: pulumi.Input<string>;
    } | undefined>;
    /**
     * Schemas and tables (`schema.table`) in which row-level security has to be forced, so that it holds for the owner as well.
     */
    forced?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * `head` of the migrations before it: after another one everything is looked at anew, and the preview says so.
     */
    schemaVersion?: pulumi.Input<string | undefined>;
    /**
     * Schemas that the API serves. `storage` is looked at beside them.
     */
    schemas?: pulumi.Input<pulumi.Input<string>[] | undefined>;
}
