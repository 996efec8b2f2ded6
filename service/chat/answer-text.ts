import type { Delta } from './chat.ts';

/**
 * Text that comes in pieces. What no text can hold (NUL, half a surrogate pair) becomes U+FFFD; a pair that was cut
 * between two pieces does not.
 */
export class PiecedText {
  #open = '';
  #text = '';
  #bytes = 0;

  get text(): string {
    return this.#text;
  }

  /** Of the text as JSON. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns what can be shown of it by now. */
  push(piece: string): string {
    const all = this.#open + piece;
    const isCut = /[\ud800-\udbff]$/.test(all);
    this.#open = isCut ? all.slice(-1) : '';
    return this.#take(isCut ? all.slice(0, -1) : all);
  }

  /** Returns what was held back for a piece that did not come. */
  end(): string {
    const rest = this.#open;
    this.#open = '';
    return this.#take(rest);
  }

  #take(piece: string): string {
    const sound = piece.toWellFormed().replaceAll('\0', '\ufffd');
    this.#text += sound;
    this.#bytes += Buffer.byteLength(JSON.stringify(sound)) - 2;
    return sound;
  }
}

/** Characters. Every look at a text that has grown copies it, so none grows for long. */
const longestRun = 1_024;

/**
 * What a model has said so far, for any number of readers. Each reads at its own pace and from the beginning; what has
 * piled up for a slow one comes to it in few pieces, and costs no memory.
 */
export class DeltaLog {
  readonly #runs: { type: Delta['type']; text: string }[] = [];
  #news = Promise.withResolvers<void>();
  #hasEnded = false;

  push(type: Delta['type'], text: string): void {
    if (text === '') return;
    const last = this.#runs.at(-1);
    if (last?.type === type && last.text.length < longestRun) last.text += text;
    else this.#runs.push({ type, text });
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  async *read(): AsyncGenerator<Delta, void> {
    for (let index = 0, offset = 0; ; ) {
      const run = this.#runs[index];
      if (run !== undefined && offset < run.text.length) {
        const text = run.text.slice(offset);
        offset = run.text.length;
        yield { type: run.type, text };
      } else if (run !== undefined && index < this.#runs.length - 1) {
        index += 1;
        offset = 0;
      } else if (this.#hasEnded) {
        return;
      } else {
        await this.#news.promise;
      }
    }
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
