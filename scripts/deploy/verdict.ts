import { exitCode } from '../arguments.ts';
import type { Verdict } from './deploy-log.ts';

/** It failed, and what serves now is not what served before: a person has to look. */
const needsPerson = 3;

/** What `npm run deploy` ends with. An interrupted one ends as its signal says. */
export const deployExit: Readonly<Record<Exclude<Verdict, 'interrupted'>, number>> = {
  deployed: exitCode.done,
  unchanged: exitCode.done,
  declined: exitCode.failed,
  stopped: exitCode.failed,
  'rolled back': exitCode.failed,
  'not rolled back': needsPerson,
};

/** A deploy in one sentence. */
export function verdictSentence(
  verdict: Verdict,
  { stack, from, to }: { stack: string; from: string | null; to: string | null },
): string {
  switch (verdict) {
    case 'deployed':
      return `Deployed: release ${to} serves${from !== null && from !== to ? `, in place of ${from}` : ''}.`;
    case 'unchanged':
      return `Nothing to change: release ${to ?? from} is what the program and its configuration say.`;
    case 'declined':
      return 'Not confirmed: nothing was changed.';
    case 'stopped':
      return `Not deployed, and nothing was changed${from === null ? '' : `: release ${from} serves as before`}.`;
    case 'rolled back':
      return `Failed, and rolled back: release ${to} serves as before.`;
    case 'not rolled back':
      return `Failed, and NOT rolled back: look at the stack now${to === null ? '' : ` (release ${to} was the last to be made live)`}.`;
    case 'interrupted':
      return `Interrupted. Run the same command again to go on, or see what serves: npm run health -- --stack ${stack}`;
  }
}
