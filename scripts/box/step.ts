import type { BoxCommand } from './box-command.ts';
import type { BoxFacts } from './facts.ts';

/** What a command said: its exit code and both of its streams, without the newline at the end. */
export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a step found: that all is as it should be, or what it would do. */
export type Finding =
  | { readonly inPlace: true; readonly words: string }
  | { readonly inPlace: false; readonly words: string };

export const inPlace = (words: string): Finding => ({ inPlace: true, words });
export const missing = (words: string): Finding => ({ inPlace: false, words });

/** What a prepared box is, beyond what every one is. */
export interface BoxWishes {
  /** The account that deploys. */
  readonly deployUser: string;
  /** Its keys: lines of `authorized_keys`. */
  readonly keys: readonly string[];
  /** Networks from which SSH is let in, as CIDR. */
  readonly sshFrom: readonly string[];
  /** Where the stack is served on the box's address in the LAN; undefined: on loopback only. */
  readonly published: { readonly address: string; readonly ports: readonly number[] } | undefined;
}

/** Part of what is applied: a command, or proof that a new login still works, without which what came before is undone. */
export type Action = BoxCommand | { readonly proveLogin: true; readonly undo: BoxCommand };

/** One thing that a prepared box has. Builds commands and reads answers; never runs anything itself. */
export interface BoxStep {
  readonly name: string;
  check(wishes: BoxWishes, facts: BoxFacts): BoxCommand;
  /** Reads the answer to `check`. Throws where a person has to decide first. */
  judge(answer: Answer, wishes: BoxWishes, facts: BoxFacts): Finding;
  apply(wishes: BoxWishes, facts: BoxFacts, answer: Answer): readonly Action[];
  /** What to do when one of its commands fails, as a sentence. */
  readonly remedy: string;
}
