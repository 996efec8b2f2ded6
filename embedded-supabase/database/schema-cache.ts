/**
 * The last reading of the database's schema. A reading replaces the one before as a whole; while one is known to be
 * out of date, who asks waits for the next instead of seeing the old one.
 */
export class SchemaCache<S> {
  readonly #read: () => Promise<S>;
  #reading: Promise<void> | undefined;
  #snapshot: S | undefined;
  #wanted = 1;
  #have = 0;

  /** `read` must give one consistent state, or throw. */
  constructor(read: () => Promise<S>) {
    this.#read = read;
  }

  /** From now on nobody is given a reading that began before this call. */
  invalidate(): void {
    this.#wanted += 1;
  }

  /** The schema as of the last `invalidate` or later. Throws what `read` throws; the next call tries again. */
  async current(): Promise<S> {
    while (this.#snapshot === undefined || this.#have < this.#wanted) {
      this.#reading ??= this.#readOnce().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    return this.#snapshot;
  }

  async #readOnce(): Promise<void> {
    const generation = this.#wanted;
    this.#snapshot = await this.#read();
    this.#have = generation;
  }
}
