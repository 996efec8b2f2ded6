import { $ } from 'zx';
import { baseImageReference } from '../../images/base/reference.ts';
import { isSshFailure, sshFailure } from '../../ssh/failure.ts';
import { nameOf, type SshTarget, sshCommand } from '../../ssh/target.ts';
import { quoted } from './box-command.ts';
import { BoxProblem } from './problem.ts';

const quiet = $({ quiet: true, nothrow: true });

export interface CarriedImage {
  readonly reference: string;
  /** Digest over all that is in it; undefined where the engine does not have it. */
  readonly here: string | undefined;
  readonly there: string | undefined;
}

const inspect = (reference: string) => ['docker', 'image', 'inspect', '--format', '{{.Id}}', reference];

/** The base image on this machine's engine and on that of the box. */
export async function compareBaseImage(deploy: SshTarget): Promise<CarriedImage> {
  const reference = baseImageReference();
  const [here, there] = await Promise.all([
    quiet`${inspect(reference)}`,
    quiet`${sshCommand(deploy, inspect(reference).map(quoted))}`,
  ]);
  const id = ({ exitCode, stdout }: { exitCode: number | null; stdout: string }) =>
    exitCode === 0 ? stdout.trim() : undefined;
  return { reference, here: id(here), there: id(there) };
}

/** Carries it over. Throws unless the box then has the very same one; running it again begins anew. */
export async function carryBaseImage(deploy: SshTarget, { reference, here }: CarriedImage): Promise<void> {
  if (here === undefined) {
    throw new BoxProblem(`This machine's Docker engine has no base image ${reference}`, 'npm run setup builds it.');
  }
  const load = sshCommand(deploy, ['docker', 'load', '--quiet']);
  const carried = await $({
    quiet: true,
    nothrow: true,
    shell: 'bash',
    prefix: 'set -o pipefail;',
  })`docker save ${reference} | ${load}`;
  const { there } = await compareBaseImage(deploy);
  if (carried.exitCode === 0 && there === here) return;
  if (isSshFailure(carried.stderr)) throw sshFailure(carried.stderr, deploy);
  const said = carried.stderr.trim().split('\n').slice(-4).join('\n  ');
  throw new BoxProblem(
    `The base image did not arrive on ${nameOf(deploy)} (here ${here}, there ${there ?? 'none'})\n  ${said}`,
    'Run the same command again: it begins anew with this step.',
  );
}
