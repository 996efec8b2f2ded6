/** What is refused, so that no request costs more than the service can bear. Bytes are those of JSON in UTF-8. */
export const limits = {
  bodyBytes: 4 * 1024 * 1024,
  /** Content and metadata of one message. The record's own limit is twice that, for its longer way of writing JSON. */
  messageBytes: 1024 * 1024,
  /** Metadata of a conversation. */
  conversationMetadataBytes: 16 * 1024,
  /** A page ends before it holds more than this, unless one message alone does. */
  pageBytes: 4 * 1024 * 1024,
  /** The largest seq that can be asked about: the record counts one further. */
  seq: 2 ** 31 - 2,
  messagesPerAppend: 100,
  messagesPerPage: 100,
  conversationsPerPage: 100,
  titleLength: 500,
  clientMessageIdLength: 200,
  /** With a number behind it, it is a client_message_id. */
  idempotencyKeyLength: 190,
  /** The longest life that can be asked for. */
  lifetimeSeconds: 315_360_000,
  /** How long a conversation that was deleted can be undeleted. After that it is gone for good. */
  undeleteSeconds: 7 * 86_400,
  /** How long one that has expired is kept, so that whoever comes back to it hears that it has expired. */
  expiredSeconds: 24 * 3600,
  /** Conversations that are removed at once. */
  removedAtOnce: 100,
  /** How often that is done in one go. */
  cleanUpTurns: 50,
  searchQueryLength: 500,
  searchHitsPerPage: 50,
  threadDocumentBytes: 1024 * 1024,
  /** A line of a file of conversations. */
  importLineBytes: 4 * 1024 * 1024,
  /** Characters of lines that wait before they are stored. */
  importBatchLength: 1024 * 1024,
  /** Levels of objects and arrays in a request, the outermost included. */
  jsonDepth: 32,
} as const;
