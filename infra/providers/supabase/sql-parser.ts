import { hasSqlDetails, loadModule, parsePlPgSQLSync, parseSync, scanSync } from 'libpg-query';

// PostgreSQL's own parser and scanner, compiled to WebAssembly: loaded once, used synchronously from then on.
await loadModule();

export { hasSqlDetails, parsePlPgSQLSync, parseSync, scanSync };
