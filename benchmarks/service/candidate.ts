/** Something that keeps threads, and is measured. Threads are named by whoever measures. */
export interface Candidate {
  readonly name: string;
  /** `limit`: what no service can beat. `ours`. `peer`: what a user would pick instead. */
  readonly kind: 'limit' | 'ours' | 'peer';
  /** What an append has behind it when it is acknowledged. */
  readonly durable: 'committed in PostgreSQL' | 'in Redis, on disk within a second';
  /** Longest thread, in messages, that it is measured with: some write all of a thread with every message. */
  readonly longestThread: number;
  /** Makes a thread of so many messages. */
  prepare(thread: string, messages: number): Promise<void>;
  /** Milliseconds of each of so many appends of one message, one after the other. */
  append(thread: string, times: number): Promise<number[]>;
  /** Milliseconds of each read of the newest `count` messages, one thread after the other. Rejects when fewer come. */
  read(threads: readonly string[], count: number): Promise<number[]>;
  /** Appends per second with one writer for each thread, all at once. */
  write(threads: readonly string[], each: number): Promise<number>;
  close(): Promise<void>;
}
