import * as pulumi from "@pulumi/pulumi";
/**
 * A bucket of Supabase Storage, hosted or embedded.
 *
 * A bucket that is there already is taken over when its settings are the same; otherwise `pulumi import
 * supabase:index:Bucket <name> <bucket>` brings it under management (with `--provider <name>=<URN>` where the program has a
 * provider of its own). Changes are made in place; another `name` makes another bucket. A bucket with objects is not deleted
 * unless `forceDestroy` is set. What was changed by hand shows in `pulumi refresh`.
 *
 * ## Example
 *
 * ```typescript
 * const files = new supabase.Bucket(
 *   'user-files',
 *   { name: 'user-files', fileSizeLimit: '50MB', allowedMimeTypes: ['text/*', 'image/*', 'application/pdf'] },
 *   { provider },
 * );
 * ```
 */
export declare class Bucket extends pulumi.CustomResource {
    /**
     * Get an existing Bucket resource's state with the given name, ID, and optional extra
     * properties used to qualify the lookup.
     *
     * @param name The _unique_ name of the resulting resource.
     * @param id The _unique_ provider ID of the resource to lookup.
     * @param opts Optional settings to control the behavior of the CustomResource.
     */
    static get(name: string, id: pulumi.Input<pulumi.ID>, opts?: pulumi.CustomResourceOptions): Bucket;
    /**
     * Returns true if the given object is an instance of Bucket.  This is designed to work even
     * when multiple copies of the Pulumi SDK have been loaded into the same process.
     */
    static isInstance(obj: any): obj is Bucket;
    /**
     * MIME types that can be uploaded, with wildcards such as `image/*`. Left out: every type.
     */
    readonly allowedMimeTypes: pulumi.Output<string[] | undefined>;
    /**
     * Largest object: `"50MB"` (decimal), `"50MiB"` (binary) or a number of bytes. Left out: the limit of the project.
     */
    readonly fileSizeLimit: pulumi.Output<number | string | undefined>;
    /**
     * Whether deleting the bucket deletes its objects. Otherwise a bucket with objects is not deleted.
     */
    readonly forceDestroy: pulumi.Output<boolean>;
    /**
     * Name of the bucket. Another name is another bucket.
     */
    readonly name: pulumi.Output<string>;
    /**
     * Whether anybody can download its objects.
     */
    readonly public: pulumi.Output<boolean>;
    /**
     * Create a Bucket resource with the given unique name, arguments, and options.
     *
     * @param name The _unique_ name of the resource.
     * @param args The arguments to use to populate this resource's properties.
     * @param opts A bag of options that control this resource's behavior.
     */
    constructor(name: string, args: BucketArgs, opts?: pulumi.CustomResourceOptions);
}
/**
 * The set of arguments for constructing a Bucket resource.
 */
export interface BucketArgs {
    /**
     * MIME types that can be uploaded, with wildcards such as `image/*`. Left out: every type.
     */
    allowedMimeTypes?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * Largest object: `"50MB"` (decimal), `"50MiB"` (binary) or a number of bytes. Left out: the limit of the project.
     */
    fileSizeLimit?: pulumi.Input<number | string | undefined>;
    /**
     * Whether deleting the bucket deletes its objects. Otherwise a bucket with objects is not deleted.
     */
    forceDestroy?: pulumi.Input<boolean | undefined>;
    /**
     * Name of the bucket. Another name is another bucket.
     */
    name: pulumi.Input<string>;
    /**
     * Whether anybody can download its objects.
     */
    public?: pulumi.Input<boolean | undefined>;
}
