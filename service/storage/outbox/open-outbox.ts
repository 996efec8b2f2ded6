import { createHash, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { ConversationStore } from '../../conversation/conversation-store.ts';
import type { HotCopies } from '../hot-copies/hot-copies.ts';
import type { SupabaseSettings } from '../supabase/supabase-calls.ts';
import type { SupabaseStore } from '../supabase/supabase-store.ts';
import { Outbox } from './outbox.ts';
import { OutboxDesk } from './outbox-desk.ts';
import { OutboxFile } from './outbox-file.ts';
import { OutboxLease } from './outbox-lease.ts';
import { OutboxRecord } from './outbox-record.ts';
import { OutboxRefused } from './outbox-refused.ts';
import { OutboxReplay } from './outbox-replay.ts';
import { OutboxStore } from './outbox-store.ts';
import { RecordState } from './record-state.ts';

export interface AroundParts {
  readonly inner: ConversationStore;
  readonly supabase: SupabaseStore;
  readonly hot: HotCopies | undefined;
  /** Why the record was not there when the service started; undefined when it was. */
  readonly startError: unknown;
  readonly log: Logger;
}

/** The outbox of this box, for one Supabase. */
export class OpenOutbox {
  readonly #file: OutboxFile;
  readonly #supabase: readonly [url: string, keyDigest: string];

  /** Throws `OutboxFailed`. */
  constructor(directory: string, { url, secretKey }: SupabaseSettings) {
    this.#file = OutboxFile.open(directory);
    this.#supabase = [url, createHash('sha256').update(secretKey).digest('base64url')];
  }

  /** Whether this Supabase was reached with this key before, by whichever process of the box. */
  get wasReached(): boolean {
    return this.#file.first('select 1 from reached where url = ? and key_digest = ?', ...this.#supabase) !== undefined;
  }

  async noteReached(): Promise<void> {
    await this.#file.write(() =>
      this.#file.run('insert into reached (url, key_digest) values (?, ?) on conflict do nothing', ...this.#supabase),
    );
  }

  /** The store that acknowledges while the record is away, and starts to replay. */
  around({ inner, supabase, hot, startError, log }: AroundParts): { store: OutboxStore; desk: OutboxDesk } {
    const file = this.#file;
    const database = supabase.probes.find(({ name }) => name === 'database');
    const state = new RecordState(async (signal) => database?.answer(signal));
    state.on('away', (error) => log.warn({ err: error }, 'Supabase is away: what is appended waits in the outbox'));
    state.on('there', () => log.info('Supabase is there again'));
    const owner = randomUUID();
    const outbox = new Outbox(file);
    const refused = new OutboxRefused(file);
    const record = new OutboxRecord(supabase.calls);
    const lease = new OutboxLease(file, 'replay', owner);
    const erasure = new OutboxLease(file, 'erasure', owner);
    const replay = new OutboxReplay({ outbox, refused, record, state, hot, lease, erasure, log });
    const desk = new OutboxDesk({ file, outbox, refused, replay, state });
    const closeOutbox = async () => {
      await replay.stop();
      await state.close();
      file.close();
    };
    const store = new OutboxStore({
      inner,
      hot,
      outbox,
      state,
      probe: desk.probe,
      erasure,
      replay: new OutboxLease(file, 'replay', `${owner} erases`),
      closeOutbox,
    });
    if (startError !== undefined) state.startAway(startError);
    replay.start();
    return { store, desk };
  }

  close(): void {
    this.#file.close();
  }
}
