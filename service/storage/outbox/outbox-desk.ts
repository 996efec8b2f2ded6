import type { Conversation } from '../../conversation/conversation.ts';
import type { Probe } from '../../conversation/conversation-store.ts';
import type { OutboxControl, OutboxReport } from '../../conversation/outbox-report.ts';
import type { Outbox } from './outbox.ts';
import type { OutboxFile } from './outbox-file.ts';
import type { OutboxRefused } from './outbox-refused.ts';
import type { OutboxReplay } from './outbox-replay.ts';
import type { RecordState } from './record-state.ts';

/** Milliseconds that something may wait while the record is there before the outbox counts as down. */
const longWait = 60_000;

export interface OutboxDeskParts {
  readonly file: OutboxFile;
  readonly outbox: Outbox;
  readonly refused: OutboxRefused;
  readonly replay: Pick<OutboxReplay, 'replayed'>;
  readonly state: RecordState;
}

/** What can be seen of the outbox, and done about what was refused. */
export class OutboxDesk implements OutboxControl {
  readonly probe: Probe;
  readonly #parts: OutboxDeskParts;

  constructor(parts: OutboxDeskParts) {
    this.#parts = parts;
    this.probe = {
      name: 'outbox',
      // Without the record and without room to wait for it, nothing can be acknowledged.
      get required() {
        return !parts.state.isThere && parts.file.trouble !== undefined;
      },
      answer: () => this.#examine(),
    };
  }

  /** Calls it, which must not throw, whenever this process has brought messages that waited into the record. */
  onReplayed(listener: (conversation: Conversation) => void): void {
    this.#parts.outbox.on('replayed', listener);
  }

  /** Messages that wait, in all processes of the box. */
  get depth(): number {
    return this.#parts.outbox.totals().messages;
  }

  /** How long the oldest of them waits; 0 when there is none. */
  get oldestAgeSeconds(): number {
    const { oldest } = this.#parts.outbox.totals();
    return oldest === null ? 0 : (Date.now() - oldest) / 1000;
  }

  get refusedCount(): number {
    return this.#parts.refused.count;
  }

  /** Messages that this process has replayed since it started. */
  get replayedCount(): number {
    return this.#parts.replay.replayed;
  }

  report(withMessages: boolean): OutboxReport {
    const { outbox, refused, state } = this.#parts;
    const { messages, conversations, oldest } = outbox.totals();
    return {
      waiting: { messages, conversations, oldest_at: oldest === null ? null : new Date(oldest).toISOString() },
      record: state.isThere ? 'there' : 'away',
      refused: refused.entries(withMessages),
    };
  }

  async retry(id: number): Promise<boolean> {
    const isThere = await this.#parts.refused.retry(id);
    if (isThere) this.#parts.outbox.emit('queued');
    return isThere;
  }

  discard(id: number): Promise<boolean> {
    return this.#parts.refused.discard(id);
  }

  async #examine(): Promise<void> {
    const { file, outbox, refused, state } = this.#parts;
    await file.write(() => file.run('update reached set url = url')); // that it can be written is what it is for
    const { messages, oldest } = outbox.totals();
    if (refused.count > 0) throw new Error(`the record refused ${refused.count} entries: see GET /v1/outbox`);
    if (!state.isThere) throw new Error(`the record is away, and ${messages} messages wait for it`);
    if (oldest !== null && Date.now() - oldest > longWait)
      throw new Error(`${messages} messages wait since ${new Date(oldest).toISOString()} though the record is there`);
  }
}
