/** An error as PostgreSQL reports it. */
interface PostgresReport {
  readonly code: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

/** SQLSTATEs and classes that lite words as PostgREST does by itself. */
const wordedByLite = /^(?:42|22|21|55|53)|^(?:23502|23503|23505|25006)$/;

/** HTTP status that PostgREST gives to a SQLSTATE that lite does not know. */
function statusOf(code: string): number {
  if (code.startsWith('23') || code === 'P0001') return 400;
  if (/^(?:0L|0P|28)/.test(code)) return 403;
  if (code.startsWith('08')) return 503;
  return 500;
}

/**
 * Errors of PostgreSQL in the form that lite passes on. lite answers 500 "SUP" to what it does not know, check
 * violations and `raise exception` among it; those are put into PostgREST's form of an error that brings its own
 * answer (`raise sqlstate 'PGRST'`), which lite does honour.
 */
export function errorForLite(error: unknown): unknown {
  if (!isReport(error) || wordedByLite.test(error.code)) return error;
  const { code, message, detail = null, hint = null } = error;
  const answer = new Error(JSON.stringify({ code, message, details: detail, hint }), { cause: error });
  return Object.assign(answer, {
    code: 'PGRST',
    detail: JSON.stringify({ status: statusOf(code), headers: {} }),
  });
}

function isReport(error: unknown): error is Error & PostgresReport {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^[0-9A-Z]{5}$/.test(error.code) &&
    !/^(?:PT|PGRST)/.test(error.code)
  );
}
