import * as pulumi from "@pulumi/pulumi";
/**
 * Settings of a hosted project, through the Management API.
 *
 * - Only what is stated is managed: what is left out is never sent, and never compared. A setting that is taken out of the
 *   program, or deleted with the resource, stays as it is in the project.
 * - What is stated and was changed by hand shows in `pulumi refresh`, and the next update sets it back. Of client secrets
 *   the API tells a digest only: one that was changed shows as removed.
 * - `pulumi import supabase:index:ProjectSettings <name> <ref>` reads all of them; the program keeps those that it wants to
 *   manage.
 * - The embedded Supabase has no such settings.
 *
 * ## Example
 *
 * ```typescript
 * new supabase.ProjectSettings(
 *   'settings',
 *   {
 *     ref: project.ref,
 *     siteUrl: 'https://example.com',
 *     redirectUrls: ['https://example.com/**', 'my-app://callback'],
 *     google: true,
 *     googleClientId: '<id>.apps.googleusercontent.com',
 *     googleClientSecret: new pulumi.Config().requireSecret('googleClientSecret'),
 *     exposedSchemas: ['public'],
 *     maxRows: 1000,
 *     sslEnforced: true,
 *   },
 *   { provider },
 * );
 * ```
 */
export declare class ProjectSettings extends pulumi.CustomResource {
    /**
     * Get an existing ProjectSettings resource's state with the given name, ID, and optional extra
     * properties used to qualify the lookup.
     *
     * @param name The _unique_ name of the resulting resource.
     * @param id The _unique_ provider ID of the resource to lookup.
     * @param opts Optional settings to control the behavior of the CustomResource.
     */
    static get(name: string, id: pulumi.Input<pulumi.ID>, opts?: pulumi.CustomResourceOptions): ProjectSettings;
    /**
     * Returns true if the given object is an instance of ProjectSettings.  This is designed to work even
     * when multiple copies of the Pulumi SDK have been loaded into the same process.
     */
    static isInstance(obj: any): obj is ProjectSettings;
    /**
     * Networks from which the database can be reached; the REST API is not meant. The whole list.
     */
    readonly allowedAddresses: pulumi.Output<string[] | undefined>;
    /**
     * Whether people can sign in with Apple.
     */
    readonly apple: pulumi.Output<boolean | undefined>;
    /**
     * Services id, and bundle ids of apps; several are separated by commas.
     */
    readonly appleClientId: pulumi.Output<string | undefined>;
    /**
     * Client secret: a token that Apple lets live for six months at most.
     */
    readonly appleClientSecret: pulumi.Output<string | undefined>;
    /**
     * Whether people can sign in with an e-mail address.
     */
    readonly email: pulumi.Output<boolean | undefined>;
    /**
     * Whether an e-mail address has to be confirmed before the first sign-in.
     */
    readonly emailConfirmation: pulumi.Output<boolean | undefined>;
    /**
     * Schemas that the REST API serves; the first is the default. The whole list.
     */
    readonly exposedSchemas: pulumi.Output<string[] | undefined>;
    /**
     * Whether people can sign in with Google.
     */
    readonly google: pulumi.Output<boolean | undefined>;
    /**
     * OAuth client id; several are separated by commas.
     */
    readonly googleClientId: pulumi.Output<string | undefined>;
    /**
     * Its secret.
     */
    readonly googleClientSecret: pulumi.Output<string | undefined>;
    /**
     * Most rows in one reply of the REST API.
     */
    readonly maxRows: pulumi.Output<number | undefined>;
    /**
     * Further places that Auth may send people to; `*` and `**` stand for parts of a URL. The whole list.
     */
    readonly redirectUrls: pulumi.Output<string[] | undefined>;
    /**
     * Ref of the project. Another ref is another project.
     */
    readonly ref: pulumi.Output<string>;
    /**
     * What the API tells of each secret, hashed: by it a change by hand is noticed.
     */
    readonly secretDigests: pulumi.Output<{
        [key: string]: string;
    }>;
    /**
     * Whether new users can sign up.
     */
    readonly signUps: pulumi.Output<boolean | undefined>;
    /**
     * Where Auth sends people back to when a link names no other place.
     */
    readonly siteUrl: pulumi.Output<string | undefined>;
    /**
     * Whether the database refuses connections without TLS. A change restarts it.
     */
    readonly sslEnforced: pulumi.Output<boolean | undefined>;
    /**
     * Create a ProjectSettings resource with the given unique name, arguments, and options.
     *
     * @param name The _unique_ name of the resource.
     * @param args The arguments to use to populate this resource's properties.
     * @param opts A bag of options that control this resource's behavior.
     */
    constructor(name: string, args: ProjectSettingsArgs, opts?: pulumi.CustomResourceOptions);
}
/**
 * The set of arguments for constructing a ProjectSettings resource.
 */
export interface ProjectSettingsArgs {
    /**
     * Networks from which the database can be reached; the REST API is not meant. The whole list.
     */
    allowedAddresses?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * Whether people can sign in with Apple.
     */
    apple?: pulumi.Input<boolean | undefined>;
    /**
     * Services id, and bundle ids of apps; several are separated by commas.
     */
    appleClientId?: pulumi.Input<string | undefined>;
    /**
     * Client secret: a token that Apple lets live for six months at most.
     */
    appleClientSecret?: pulumi.Input<string | undefined>;
    /**
     * Whether people can sign in with an e-mail address.
     */
    email?: pulumi.Input<boolean | undefined>;
    /**
     * Whether an e-mail address has to be confirmed before the first sign-in.
     */
    emailConfirmation?: pulumi.Input<boolean | undefined>;
    /**
     * Schemas that the REST API serves; the first is the default. The whole list.
     */
    exposedSchemas?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * Whether people can sign in with Google.
     */
    google?: pulumi.Input<boolean | undefined>;
    /**
     * OAuth client id; several are separated by commas.
     */
    googleClientId?: pulumi.Input<string | undefined>;
    /**
     * Its secret.
     */
    googleClientSecret?: pulumi.Input<string | undefined>;
    /**
     * Most rows in one reply of the REST API.
     */
    maxRows?: pulumi.Input<number | undefined>;
    /**
     * Further places that Auth may send people to; `*` and `**` stand for parts of a URL. The whole list.
     */
    redirectUrls?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * Ref of the project. Another ref is another project.
     */
    ref: pulumi.Input<string>;
    /**
     * Whether new users can sign up.
     */
    signUps?: pulumi.Input<boolean | undefined>;
    /**
     * Where Auth sends people back to when a link names no other place.
     */
    siteUrl?: pulumi.Input<string | undefined>;
    /**
     * Whether the database refuses connections without TLS. A change restarts it.
     */
    sslEnforced?: pulumi.Input<boolean | undefined>;
}
