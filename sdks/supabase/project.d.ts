import * as pulumi from "@pulumi/pulumi";
/**
 * A project of the hosted Supabase: made, or with `ref` adopted, through the Management API.
 *
 * - Needs an access token: `accessToken` of the provider, or `SUPABASE_ACCESS_TOKEN`.
 * - The update waits until the project and its services are healthy, and shows how far it is.
 * - **Adopted**: `ref` is enough. What else is given is then managed, what is not is left as it is; organization and
 *   region have to be those of the project. `pulumi import supabase:index:Project <name> <ref>` does the same.
 * - Name, instance size and database password are changed in place. Organization and region can't be: a change of them
 *   is refused, or with `allowDelete` deletes the project and makes another.
 * - It is not deleted unless `allowDelete` was set by an update before.
 * - A project without keys of the current kind (`sb_publishable_…`, `sb_secret_…`) gets a first one of each, named
 *   `default`; its old keys stay as they are.
 * - What was changed by hand shows in `pulumi refresh`.
 *
 * **An update that breaks off** can be run again, wherever it did, and ends with one project. The API has nothing to mark a
 * project with before it has answered. So before one is made, and again when the answer to that is lost, the projects of
 * the organization are looked through for this name and region. One that appears between the two looks is the one that was
 * asked for. One that was there from the start was made by an earlier update that was killed before it could write its
 * state, if its database opens with this `databasePassword`: then it is taken over. If it does not, or nobody can tell, the
 * update stops and says so; nothing is made, and nothing of that project is touched. So give the resource a password that
 * nothing else has. The request that makes a project is never sent a second time by itself, except after a 429, which says
 * that it was not carried out.
 *
 * ## Example
 *
 * ```typescript
 * const provider = new supabase.Provider('supabase', {
 *   accessToken: new pulumi.Config().requireSecret('supabaseAccessToken'),
 * });
 * const project = new supabase.Project(
 *   'project',
 *   {
 *     organization: 'my-organization',
 *     name: 'conversations',
 *     region: 'eu-central-1',
 *     databasePassword: new pulumi.Config().requireSecret('databasePassword'),
 *     instanceSize: 'micro',
 *   },
 *   { provider, protect: true },
 * );
 * const inProject = new supabase.Provider('in-project', {
 *   url: project.apiUrl,
 *   secretKey: project.secretKey,
 *   databaseUrl: project.databaseUrl.apply((url) => url ?? ''),
 * });
 * new supabase.Migrations('schema', { directory: 'migrations' }, { provider: inProject });
 * ```
 */
export declare class Project extends pulumi.CustomResource {
    /**
     * Get an existing Project resource's state with the given name, ID, and optional extra
     * properties used to qualify the lookup.
     *
     * @param name The _unique_ name of the resulting resource.
     * @param id The _unique_ provider ID of the resource to lookup.
     * @param opts Optional settings to control the behavior of the CustomResource.
     */
    static get(name: string, id: pulumi.Input<pulumi.ID>, opts?: pulumi.CustomResourceOptions): Project;
    /**
     * Returns true if the given object is an instance of Project.  This is designed to work even
     * when multiple copies of the Pulumi SDK have been loaded into the same process.
     */
    static isInstance(obj: any): obj is Project;
    /**
     * Whether the project, with all that is in it, is deleted when the resource is. Otherwise that is refused.
     */
    readonly allowDelete: pulumi.Output<boolean>;
    /**
     * API address, `https://<ref>.supabase.co`.
     */
    readonly apiUrl: pulumi.Output<string>;
    /**
     * Host of the direct connection (IPv6 unless the project has an IPv4 address).
     */
    readonly databaseHost: pulumi.Output<string>;
    /**
     * Connection through the session pooler as `postgres`. Left out where `databasePassword` is.
     */
    readonly databaseUrl: pulumi.Output<string | undefined>;
    /**
     * Compute of the database, such as `micro`. Left out: the plan’s own, and not managed.
     */
    readonly instanceSize: pulumi.Output<string | undefined>;
    /**
     * Public keys that users’ tokens are verified with.
     */
    readonly jwksUrl: pulumi.Output<string>;
    /**
     * Signs tokens with HS256; where the project has moved to signing keys, it only verifies old ones.
     */
    readonly jwtSecret: pulumi.Output<string | undefined>;
    /**
     * Name of the project. Of projects of one name in one organization and region the provider makes only one.
     */
    readonly name: pulumi.Output<string>;
    /**
     * Organization: its slug, which is in the address of its dashboard. A project can't move to another.
     */
    readonly organization: pulumi.Output<string>;
    /**
     * Key for clients (`sb_publishable_…`).
     */
    readonly publishableKey: pulumi.Output<string>;
    /**
     * Ref of the project. It is the id of the resource.
     */
    readonly ref: pulumi.Output<string>;
    /**
     * Region, such as `eu-central-1`. A project can't move to another.
     */
    readonly region: pulumi.Output<string>;
    /**
     * Key for servers (`sb_secret_…`).
     */
    readonly secretKey: pulumi.Output<string>;
    /**
     * Create a Project resource with the given unique name, arguments, and options.
     *
     * @param name The _unique_ name of the resource.
     * @param args The arguments to use to populate this resource's properties.
     * @param opts A bag of options that control this resource's behavior.
     */
    constructor(name: string, args?: ProjectArgs, opts?: pulumi.CustomResourceOptions);
}
/**
 * The set of arguments for constructing a Project resource.
 */
export interface ProjectArgs {
    /**
     * Whether the project, with all that is in it, is deleted when the resource is. Otherwise that is refused.
     */
    allowDelete?: pulumi.Input<boolean | undefined>;
    /**
     * Password of the role `postgres`. A change sets it in the project; given for an adopted project, it is the one that it has.
     */
    databasePassword?: pulumi.Input<string | undefined>;
    /**
     * Compute of the database, such as `micro`. Left out: the plan’s own, and not managed.
     */
    instanceSize?: pulumi.Input<string | undefined>;
    /**
     * Name of the project. Of projects of one name in one organization and region the provider makes only one.
     */
    name?: pulumi.Input<string | undefined>;
    /**
     * Organization: its slug, which is in the address of its dashboard. A project can't move to another.
     */
    organization?: pulumi.Input<string | undefined>;
    /**
     * Ref of a project that is there already, to be adopted instead of one being made. Then the rest is optional.
     */
    ref?: pulumi.Input<string | undefined>;
    /**
     * Region, such as `eu-central-1`. A project can't move to another.
     */
    region?: pulumi.Input<string | undefined>;
}
