const original = process.emitWarning;

/**
 * lite replaces `process.emitWarning` when it is loaded, by a function that throws when it is given an Error, as Node
 * itself does. This puts the original back; this module must be loaded before lite.
 */
export function restoreProcessWarnings(): void {
  process.emitWarning = original;
}
