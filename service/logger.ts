import { type DestinationStream, type Logger, pino } from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

export interface LoggerSettings {
  readonly level: (typeof logLevels)[number];
  readonly releaseId: string;
}

/** JSON, one object a line, to standard output. Contents and secrets are never given to it. */
export function createLogger({ level, releaseId }: LoggerSettings, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { release_id: releaseId },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

interface ErrorDescription {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly at?: string[];
  readonly cause?: ErrorDescription;
}

/**
 * What may be known of an error. Not its other properties: those of a Redis error hold the command, which is what
 * somebody wrote. Not the message of a syntax error: it quotes the text.
 */
export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: 'no error was thrown, but this' };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    message: error instanceof SyntaxError ? 'a text is not valid JSON' : error.message,
    ...(code === undefined ? {} : { code }),
    ...(frames === undefined ? {} : { at: frames.slice(0, 8).map((line) => line.trim()) }),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}
