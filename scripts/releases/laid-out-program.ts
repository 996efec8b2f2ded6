import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { linkOrInstallPackages } from './program-packages.ts';
import { git, gitText } from './repository.ts';
import { stackFileText } from './stack-configuration.ts';
import type { Update } from './updates.ts';

const programs = join('.kit', 'programs');
/** How many programs stay laid out, ready to be deployed again. */
const kept = 5;

/**
 * Lays out the program of an update with its configuration in a folder of its own under `.kit/programs`, which appears
 * whole or not at all, and returns that folder. Neither the work tree nor the index is touched. Secrets stay encrypted.
 *
 * @param ahead applied migrations, `<version>_<name>`, that the program need not have
 */
export async function layOutProgram(stack: string, update: Update, ahead: readonly string[]): Promise<string> {
  const program = update.manifest?.program;
  if (!program?.snapshot) throw new Error(`The program of update ${update.number} was not kept.`);
  const { snapshot, commit } = program;
  if ((await git(['cat-file', '-e', `${snapshot}^{commit}`])).exitCode !== 0) {
    throw new Error(
      `The program of update ${update.number} (snapshot ${snapshot}) is not in this repository: it was deployed from another ` +
        "one, or removed. Fetch it from there: git fetch <repository> 'refs/conversation-kit/releases/*:refs/conversation-kit/releases/*'. " +
        `Or deploy its commit, which builds its images: git switch --detach ${commit ?? '<commit>'} && npm run up -- --stack ${stack}`,
    );
  }
  const configuration = stackFileText(update.config);
  const directory = resolve(programs, `${snapshot}-${shortHash(`${stack}\n${configuration}`)}`);
  if (!existsSync(directory)) {
    mkdirSync(programs, { recursive: true });
    const workspace = mkdtempSync(resolve(programs, 'in-progress-'));
    try {
      const made = join(workspace, 'program');
      await checkOut(snapshot, made, join(workspace, 'index'));
      symlinkSync(join('..', '..'), join(made, '.kit'));
      writeFileSync(join(made, `Pulumi.${stack}.yaml`), configuration, { mode: 0o600 });
      replace(made, directory);
    } finally {
      rmSync(workspace, { recursive: true, force: true });
    }
  }
  await linkOrInstallPackages(directory);
  describe(directory, { program, ahead });
  const now = new Date();
  utimesSync(directory, now, now);
  return directory;
}

async function checkOut(snapshot: string, target: string, index: string): Promise<void> {
  const cwd = await gitText(['rev-parse', '--show-toplevel']);
  await gitText(['read-tree', snapshot], { cwd, index });
  await gitText(['checkout-index', '--all', `--prefix=${target}/`], { cwd, index });
}

/** What `infra/laid-out-program.ts` reads: the program itself can't tell any more where it is from. */
function describe(directory: string, description: { program: object; ahead: readonly string[] }): void {
  const made = `${directory}.json.${process.pid}`;
  writeFileSync(made, `${JSON.stringify(description)}\n`);
  renameSync(made, `${directory}.json`);
}

function replace(made: string, target: string): void {
  try {
    renameSync(made, target);
  } catch (error) {
    if (!existsSync(target)) throw error; // else another run has laid out the same one meanwhile
  }
}

/** Removes programs beyond the last five that were deployed, and what killed runs left half-made. */
export function removeOldPrograms(): void {
  const found = readdirSync(programs, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ path: join(programs, name), used: statSync(join(programs, name)).mtimeMs }))
    .sort((left, right) => right.used - left.used);
  const halfMade = found.filter(({ path, used }) => path.includes('in-progress-') && used < Date.now() - 3_600_000);
  const whole = found.filter(({ path }) => !path.includes('in-progress-'));
  for (const { path } of [...halfMade, ...whole.slice(kept)]) {
    rmSync(path, { recursive: true, force: true });
    rmSync(`${path}.json`, { force: true });
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
