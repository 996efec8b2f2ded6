/** A message as it is stored. */
export interface StoredMessage {
  readonly seq: number;
  readonly text: string;
}

/** What was promised and not kept. Every list has to be empty. */
export interface Discrepancies {
  /** Acknowledged, and not there. */
  readonly lost: readonly string[];
  /** There more than once. */
  readonly doubled: readonly string[];
  /** Conversations whose messages are not numbered 1, 2, 3 … */
  readonly misnumbered: readonly string[];
}

/** Compares what was acknowledged with what is read at the end, by conversation. Every text was sent once. */
export function compare(
  acknowledged: ReadonlyMap<string, ReadonlySet<string>>,
  stored: ReadonlyMap<string, readonly StoredMessage[]>,
): Discrepancies {
  const found = { lost: [] as string[], doubled: [] as string[], misnumbered: [] as string[] };
  for (const [conversation, messages] of stored) {
    const there = new Set<string>();
    for (const { text } of messages) {
      if (there.has(text)) found.doubled.push(text);
      there.add(text);
    }
    found.lost.push(...[...(acknowledged.get(conversation) ?? [])].filter((text) => !there.has(text)));
    if (messages.some(({ seq }, index) => seq !== index + 1)) found.misnumbered.push(conversation);
  }
  const unread = [...acknowledged].filter(([conversation]) => !stored.has(conversation));
  found.lost.push(...unread.flatMap(([, texts]) => [...texts]));
  return found;
}
