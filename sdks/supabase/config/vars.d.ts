/**
 * Access token of the Management API (`sbp_…`, from https://supabase.com/dashboard/account/tokens), for `Project` and `ProjectSettings`.
 */
export declare const accessToken: string | undefined;
/**
 * Connection to the project's PostgreSQL, for migrations: `postgres://user:password@host:5432/postgres`. Left out, with `projectRef` and an access token: a login role that is made for some minutes, through the project's pooler.
 */
export declare const databaseUrl: string | undefined;
/**
 * Address of the Management API, for tests. Left out: `https://api.supabase.com`.
 */
export declare const managementUrl: string | undefined;
/**
 * Ref of the project, for connections to its database without a `databaseUrl`.
 */
export declare const projectRef: string | undefined;
/**
 * API address of a `Project`, `{ref}` standing for its ref, for tests. Left out: `https://{ref}.supabase.co`.
 */
export declare const projectUrl: string | undefined;
/**
 * Secret key of the project (`sb_secret_…`), or the legacy `service_role` key.
 */
export declare const secretKey: string | undefined;
/**
 * API address of the project, for example `https://<ref>.supabase.co`.
 */
export declare const url: string | undefined;
