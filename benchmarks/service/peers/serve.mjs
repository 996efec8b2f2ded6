import { createInterface } from 'node:readline';
import { measured } from '../measured.mjs';

/** Lets the benchmark drive a peer that runs in this process: a request is a line of JSON, and so is its answer. */
export async function serve(operations) {
  const candidate = measured(operations);
  for await (const line of createInterface({ input: process.stdin })) {
    const { call, args } = JSON.parse(line);
    try {
      process.stdout.write(`${JSON.stringify({ result: (await candidate[call](...args)) ?? null })}\n`);
    } catch (error) {
      process.stdout.write(`${JSON.stringify({ error: error instanceof Error ? error.message : String(error) })}\n`);
    }
  }
  await operations.close();
}
