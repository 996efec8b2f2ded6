import { createInterface } from 'node:readline';
import { addAbortSignal, Readable } from 'node:stream';
import { z } from 'zod';

/** One line of what the engine says while it pulls, pushes or builds. */
const message = z.object({
  stream: z.string().optional(),
  status: z.string().optional(),
  id: z.string().optional(),
  progress: z.string().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
  aux: z.object({ ID: z.string().optional(), Digest: z.string().optional() }).optional(),
});
export type EngineMessage = z.output<typeof message>;

/** The engine said nothing for too long. */
export class Stalled extends Error {}

/** The engine begins to answer a pull when the registry does: until then there is no stream to watch. */
export async function answeredWithin<T>(
  seconds: number,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(), seconds * 1000);
  try {
    return await ask(AbortSignal.any([signal, stalled.signal]));
  } catch (error) {
    throw stalled.signal.aborted ? new Stalled(`nothing came for ${seconds} s`, { cause: error }) : error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The messages of a stream, one after the other. Throws `Stalled` when nothing comes for `silence` seconds (0: any
 * time is fine). Ends the request when the reader stops.
 */
export async function* engineMessages(
  stream: NodeJS.ReadableStream,
  silence: number,
  signal: AbortSignal,
): AsyncGenerator<EngineMessage> {
  const readable = stream instanceof Readable ? stream : Readable.from(stream);
  addAbortSignal(signal, readable);
  const stall = () => readable.destroy(new Stalled(`nothing came for ${silence} s`));
  const watch = silence > 0 ? setTimeout(stall, silence * 1000) : undefined;
  readable.on('data', () => watch?.refresh());
  let failure: Error | undefined;
  readable.on('error', (error) => {
    failure = error;
  });
  try {
    for await (const line of createInterface({ input: readable, crlfDelay: Number.POSITIVE_INFINITY }))
      if (line.trim() !== '') yield message.parse(JSON.parse(line));
    if (failure) throw failure;
  } finally {
    clearTimeout(watch);
    readable.destroy();
  }
}

/** What the engine reports as an error within a stream that it began with "200 OK". */
export const errorOf = (said: EngineMessage): string | undefined => said.errorDetail?.message ?? said.error;
