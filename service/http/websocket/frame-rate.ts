/** A bucket of frames that a client may send: filled again as time goes by. */
export class FrameRate {
  readonly #atOnce: number;
  readonly #perSecond: number;
  #left: number;
  #at = performance.now();

  constructor(atOnce: number, perSecond: number) {
    this.#atOnce = atOnce;
    this.#perSecond = perSecond;
    this.#left = atOnce;
  }

  /** False: that is one too many. */
  take(): boolean {
    const now = performance.now();
    this.#left = Math.min(this.#atOnce, this.#left + ((now - this.#at) / 1000) * this.#perSecond) - 1;
    this.#at = now;
    return this.#left >= 0;
  }
}
