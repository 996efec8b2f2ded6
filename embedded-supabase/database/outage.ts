/** PostgreSQL can't be reached, or went away during a query. What was under way may or may not have been committed. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
}

/** Error codes of the driver and of the network that mean: the session is gone or never came to be. */
const lost = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  '57P01', // terminated by an administrator's command
  '57P02', // another server process crashed
  '57P03', // starting up or shutting down
  '53300', // too many connections
]);

/** Whether an error of the driver means that the session is lost, not that the statement was wrong. */
export function isOutage(error: unknown): boolean {
  if (error instanceof DatabaseUnavailable) return true;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return lost.has(error.code) || error.code.startsWith('08');
}
