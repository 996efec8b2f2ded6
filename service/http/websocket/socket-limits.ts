/** What sockets may cost. Times in milliseconds. */
export const socketLimits = {
  /** Open at once in one process, of all, and of one user. */
  sockets: 4_000,
  socketsPerUser: 20,
  subscriptionsPerSocket: 100,
  /** Bytes of what a client sends at once. */
  messageBytes: 16 * 1024,
  /** Frames that a client may send at once, and how many more each second. */
  framesAtOnce: 100,
  framesPerSecond: 20,
  /** Bytes that wait for a client, beyond which it counts as slow. */
  waitingBytes: 8 * 1024 * 1024,
  /** How long one message may wait until the client takes it. */
  untilTaken: 20_000,
  /** From one ping to the next. Who has not answered by then is gone. */
  heartbeat: 30_000,
  /** When the service stops, from telling one client to connect again to telling the next one. */
  betweenGoodbyes: 100,
  /** How long a client may take to confirm that the socket is closed. */
  goodbye: 2_000,
  /** How long a seq may be unknown here that a client has already, because it was written around the service. */
  untilKnown: 3_000,
  /** Until the record is asked again when it was away. */
  retry: 1_000,
} as const;
export type SocketLimits = { readonly [K in keyof typeof socketLimits]: number };
