import * as pulumi from "@pulumi/pulumi";
/**
 * How a Supabase project is reached.
 */
export declare class Provider extends pulumi.ProviderResource {
    /**
     * Returns true if the given object is an instance of Provider.  This is designed to work even
     * when multiple copies of the Pulumi SDK have been loaded into the same process.
     */
    static isInstance(obj: any): obj is Provider;
    /**
     * Create a Provider resource with the given unique name, arguments, and options.
     *
     * @param name The _unique_ name of the resource.
     * @param args The arguments to use to populate this resource's properties.
     * @param opts A bag of options that control this resource's behavior.
     */
    constructor(name: string, args?: ProviderArgs, opts?: pulumi.ResourceOptions);
}
/**
 * The set of arguments for constructing a Provider resource.
 */
export interface ProviderArgs {
    /**
     * Access token of the Management API (`sbp_…`, from https://supabase.com/dashboard/account/tokens), for `Project` and `ProjectSettings`.
     */
    accessToken?: pulumi.Input<string | undefined>;
    /**
     * Connection to the project's PostgreSQL, for migrations: `postgres://user:password@host:5432/postgres`. Left out, with `projectRef` and an access token: a login role that is made for some minutes, through the project's pooler.
     */
    databaseUrl?: pulumi.Input<string | undefined>;
    /**
     * Address of the Management API, for tests. Left out: `https://api.supabase.com`.
     */
    managementUrl?: pulumi.Input<string | undefined>;
    /**
     * Ref of the project, for connections to its database without a `databaseUrl`.
     */
    projectRef?: pulumi.Input<string | undefined>;
    /**
     * API address of a `Project`, `{ref}` standing for its ref, for tests. Left out: `https://{ref}.supabase.co`.
     */
    projectUrl?: pulumi.Input<string | undefined>;
    /**
     * Secret key of the project (`sb_secret_…`), or the legacy `service_role` key.
     */
    secretKey?: pulumi.Input<string | undefined>;
    /**
     * API address of the project, for example `https://<ref>.supabase.co`.
     */
    url?: pulumi.Input<string | undefined>;
}
