import { currentScope } from '../request-scope.ts';
import { DatabaseUnavailable } from './outage.ts';

/** Tells the request that PostgreSQL was away, whatever lite makes of the error. */
export async function noticingOutage<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const scope = currentScope();
    if (scope !== undefined && error instanceof DatabaseUnavailable) scope.outage ??= error;
    throw error;
  }
}
