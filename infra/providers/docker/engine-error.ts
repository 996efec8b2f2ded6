import { SshFailure } from '../../../ssh/failure.ts';
import type { EngineAddress } from './engine-address.ts';

/** The engine answered, and refused. `statusCode` is HTTP's. */
export class EngineRefusal extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineRefusal';
    this.statusCode = statusCode;
  }
}

/** The engine could not be asked. Nothing is known of what it holds. */
export class EngineAway extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineAway';
  }
}

export const isNotFound = (error: unknown): boolean => error instanceof EngineRefusal && error.statusCode === 404;
export const isConflict = (error: unknown): boolean => error instanceof EngineRefusal && error.statusCode === 409;

/** `undefined` where the engine says that there is no such thing; every other failure stays one. */
export async function orGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** In words, from what the client library and the system report. */
export function explainEngineError(error: unknown, address: EngineAddress): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return error;
  if ('statusCode' in error && typeof error.statusCode === 'number')
    return new EngineRefusal(error.statusCode, refusalMessage(error), { cause: error.cause });
  const code = 'code' in error ? String(error.code) : '';
  const remedy = remedyOf(error, code, address);
  return remedy ? new EngineAway(`the Docker engine at ${address.text} ${remedy}`, { cause: error }) : error;
}

function refusalMessage(error: Error): string {
  const json = 'json' in error ? error.json : undefined;
  if (typeof json === 'object' && json !== null && 'message' in json && typeof json.message === 'string')
    return json.message;
  // To a request for a stream the library answers with the message inside its own words.
  return error.message.replace(/^\(HTTP code \d+\) .*? - /, '').trim();
}

function remedyOf(error: Error, code: string, address: EngineAddress): string | undefined {
  if (error instanceof SshFailure) return `can't be reached: ${error.message}`;
  if (code === 'ENOENT' && address.kind === 'socket')
    return 'is not running: its socket does not exist. Start it (sudo systemctl start docker), or name another one in DOCKER_HOST';
  if (code === 'EACCES' || code === 'EPERM')
    return 'does not let this user in. Add the user to the group docker (sudo usermod -aG docker $USER) and log in again';
  if (code === 'ECONNREFUSED')
    return 'is not running: nobody listens there. Start it (sudo systemctl start docker), or name another one in DOCKER_HOST';
  if (['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'].includes(code))
    return `can't be reached (${code}). Check the address and the network`;
  if (['ECONNRESET', 'EPIPE'].includes(code)) return 'ended the connection: it was stopped or restarted meanwhile';
  return undefined;
}
