/**
 * Direct connection to the project's PostgreSQL, for migrations: `postgres://user:password@host:5432/postgres`.
 */
export declare const databaseUrl: string | undefined;
/**
 * Secret key of the project (`sb_secret_…`), or the legacy `service_role` key.
 */
export declare const secretKey: string | undefined;
/**
 * API address of the project, for example `https://<ref>.supabase.co`.
 */
export declare const url: string | undefined;
