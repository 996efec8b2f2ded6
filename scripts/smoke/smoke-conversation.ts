import { randomUUID } from 'node:crypto';
import { smokeMark } from '../../health/smoke-mark.ts';
import { type Client, expectStatus } from './client.ts';

/** The conversation that the smoke tests write, and what has to be in it. */
export class SmokeConversation {
  /** A word that is in it and nowhere else. */
  readonly marker = `smoke${randomUUID().replaceAll('-', '')}`;
  readonly #client: Client;
  readonly #messages: { client_message_id: string; role: string; content: string }[];
  #id = '';

  constructor(client: Client) {
    this.#client = client;
    this.#messages = [this.#message('user', 'Is anything lost?'), this.#message('assistant', 'Nothing is.')];
  }

  get id(): string {
    return this.#id;
  }

  get length(): number {
    return this.#messages.length;
  }

  async begin(): Promise<string | undefined> {
    this.#id = await this.#client.create(smokeMark);
    return expectStatus(await this.#client.append(this.#id, this.#messages), 201).tier;
  }

  /** One message more; the status says whether it was stored (201) or queued (202). */
  async add(text: string, status: 201 | 202): Promise<string | undefined> {
    const message = this.#message('user', text);
    const { tier } = expectStatus(await this.#client.append(this.#id, [message]), status);
    this.#messages.push(message);
    return tier;
  }

  async readBack(expectedTier?: string): Promise<string | undefined> {
    const { tier, messages, pending } = await this.#client.read(this.#id);
    const texts = [...messages, ...pending].map(({ content }) => content);
    const wanted = this.#messages.map(({ content }) => content);
    if (JSON.stringify(texts) !== JSON.stringify(wanted)) {
      throw new Error(`read back ${texts.length} messages that are not the ${wanted.length} written`);
    }
    if (expectedTier && tier !== expectedTier)
      throw new Error(`answered by ${tier ?? 'no tier'}, not by ${expectedTier}`);
    return tier;
  }

  async writeAgain(): Promise<string | undefined> {
    expectStatus(await this.#client.append(this.#id, this.#messages), 200);
    return this.readBack();
  }

  #message(role: string, text: string) {
    return { client_message_id: randomUUID(), role, content: `${text} ${this.marker}` };
  }
}
