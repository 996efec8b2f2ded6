import type { ConversationEvent, ConversationEvents } from '../conversation/conversation-events.ts';

type Listener = (event: ConversationEvent) => void;

/** Events within this process. */
export class LocalEvents implements ConversationEvents {
  readonly #listeners = new Map<string, Set<Listener>>();

  /** Whether anybody listens. */
  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  publish(event: ConversationEvent): void {
    for (const listener of [...(this.#listeners.get(event.conversation_id) ?? [])]) listener(event);
  }

  /** For every conversation that somebody listens to: events of it may have been missed. */
  publishToAll(): void {
    for (const conversation_id of [...this.#listeners.keys()]) this.publish({ kind: 'changed', conversation_id });
  }

  subscribe(conversationId: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(conversationId) ?? new Set();
    this.#listeners.set(conversationId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(conversationId) === listeners) {
        this.#listeners.delete(conversationId);
      }
    };
  }
}
