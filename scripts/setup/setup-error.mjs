/**
 * What a person can mend: `message` says what is wrong and where, `remedy` what to do about it. Shown without a stack.
 */
export class SetupError extends Error {
  /** @override */
  name = 'SetupError';

  /**
   * @param {string} message
   * @param {{ remedy: string, cause?: unknown }} options
   */
  constructor(message, { remedy, cause }) {
    super(message, { cause });
    this.remedy = remedy;
  }
}

/** The person (or the machine) asked us to stop; `signal` is how. */
export class Interrupted extends Error {
  /** @override */
  name = 'Interrupted';

  /** @param {NodeJS.Signals} signal */
  constructor(signal) {
    super(`interrupted by ${signal}`);
    this.signal = signal;
  }
}
