import confirm from '@inquirer/confirm';
import { Interrupted } from '../setup/setup-error.mjs';

/** Asks on the terminal. Ctrl-C at the question interrupts the deploy. */
export async function confirmed(question: string, signal: AbortSignal): Promise<boolean> {
  try {
    return await confirm({ message: question, default: false }, { output: process.stderr, signal });
  } catch (error) {
    // The question takes the key for itself, so there is no signal.
    if (error instanceof Error && error.name === 'ExitPromptError') throw new Interrupted('SIGINT');
    signal.throwIfAborted();
    throw error;
  }
}
