/**
 * lite replaces `process.emitWarning` when it is loaded, by a function that throws when it is given an Error, as Node
 * itself does. Imported before lite, this keeps the original one to put back.
 */
export const emitWarning = process.emitWarning;
