import type { BoxCommand } from './box-command.ts';
import { quoted } from './box-command.ts';
import type { BoxSession } from './box-session.ts';
import type { BoxFacts } from './facts.ts';
import { BoxProblem } from './problem.ts';
import type { Action, Answer, BoxStep, BoxWishes, Finding } from './step.ts';
import { deployUser } from './steps/deploy-user.ts';
import { dockerEngine, engineConfiguration } from './steps/docker-engine.ts';
import { firewall } from './steps/firewall.ts';
import { packages } from './steps/packages.ts';
import { securityUpdates } from './steps/security-updates.ts';
import { sshHardening } from './steps/ssh-hardening.ts';
import { timeSync } from './steps/time-sync.ts';

/** In this order: each may count on those before it. */
export const boxSteps: readonly BoxStep[] = [
  packages,
  dockerEngine,
  engineConfiguration,
  deployUser,
  firewall,
  sshHardening,
  securityUpdates,
  timeSync,
];

/** A step with what it found. */
export interface CheckedStep {
  readonly step: BoxStep;
  readonly answer: Answer;
  readonly finding: Finding;
}

export interface Box {
  readonly session: Pick<BoxSession, 'run' | 'proveLogin'>;
  readonly wishes: BoxWishes;
  readonly facts: BoxFacts;
}

/** Looks at everything, and changes nothing. */
export async function checkBox(box: Box): Promise<CheckedStep[]> {
  const checked: CheckedStep[] = [];
  for (const step of boxSteps) checked.push(await checkStep(step, box));
  return checked;
}

async function checkStep(step: BoxStep, { session, wishes, facts }: Box): Promise<CheckedStep> {
  const answer = await session.run(step.check(wishes, facts));
  return { step, answer, finding: step.judge(answer, wishes, facts) };
}

/** Puts one step in place, and looks whether it is. Throws with the command that failed, its last lines and the remedy. */
export async function applyStep(step: BoxStep, box: Box): Promise<CheckedStep> {
  // What those before it did may have changed what it has to do.
  const { answer } = await checkStep(step, box);
  for (const action of step.apply(box.wishes, box.facts, answer)) await perform(action, step, box.session);
  const after = await checkStep(step, box);
  if (after.finding.inPlace) return after;
  throw new BoxProblem(
    `${step.name}: its commands had no complaint, and still it is not in place (to do: ${after.finding.words})`,
    `${step.remedy}.`,
  );
}

async function perform(action: Action, step: BoxStep, session: Box['session']): Promise<void> {
  if ('argv' in action) return runOrThrow(action, step, session);
  try {
    await session.proveLogin();
  } catch (cause) {
    await session.run(action.undo);
    throw new BoxProblem(`${step.name}: a new login did not work, so this step was taken back`, `${step.remedy}.`, {
      cause,
    });
  }
}

async function runOrThrow(command: BoxCommand, step: BoxStep, session: Box['session']): Promise<void> {
  const { exitCode, stdout, stderr } = await session.run(command);
  if (exitCode === 0) return;
  const line = command.argv.map(quoted).join(' ');
  const said = (stderr || stdout).trim().split('\n').slice(-8).join('\n  ');
  throw new BoxProblem(
    `${step.name}: a command ended with ${exitCode} on the box\n  $ ${line.split('\n').join('\n  ')}\n  ${said}\n`,
    `${step.remedy}.`,
  );
}
