import type { Caller } from './conversation.ts';
import type { ExportedConversation, ExportedMessage } from './transfer-format.ts';

/** What became of some messages. `taken`: the conversation is not the owner's. Only with `imported` anything is stored. */
export type Imported =
  | { readonly status: 'taken' }
  | { readonly status: 'conflict'; readonly seq: number }
  | { readonly status: 'gap'; readonly seq: number; readonly last_seq: number }
  | {
      readonly status: 'imported';
      readonly created: boolean;
      readonly imported: number;
      readonly unchanged: number;
      readonly last_seq: number;
    };

/** Puts conversations back where they are kept. Throws the errors of `errors.ts`, `UnknownUser` among them. */
export interface ImportTarget {
  /**
   * Begins the conversation where there is none, owned by `owner` (null: the server), and puts these messages behind the
   * ones that are there; those that are there already have to be the same. All or none.
   */
  importMessages(
    caller: Caller,
    owner: string | null,
    conversation: ExportedConversation,
    messages: readonly ExportedMessage[],
    ttlSeconds: number,
  ): Promise<Imported>;
}
