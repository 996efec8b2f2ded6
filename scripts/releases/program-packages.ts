import { lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { $ } from 'zx';
import { installedBundle } from '../setup/bundle.mjs';
import { openKit } from '../setup/kit.mjs';
import { npmCleanInstall } from '../setup/npm.mjs';
import { npmPackages } from '../setup/steps/npm-packages.mjs';

/**
 * Gives a laid-out program the packages that its lock file names: links to this checkout's where they are the same, else
 * an installation of its own, out of npm's cache as far as that has them.
 *
 * @param checkout the folder whose packages are there
 */
export async function linkOrInstallPackages(directory: string, checkout = process.cwd()): Promise<void> {
  if (areAsLocked(directory)) return;
  const packages = join(directory, 'node_modules');
  rmSync(packages, { recursive: true, force: true });
  linkPackages(join(checkout, 'node_modules'), packages);
  if (areAsLocked(directory)) return;
  rmSync(packages, { recursive: true, force: true });
  const kit = openKit(checkout, process.env);
  if (installedBundle(kit)) {
    throw new Error(
      'The npm packages of that release are not those that are here, and what came from a bundle fetches none. Nothing was ' +
        `changed. The bundle of that release has them: sh <that bundle> ${kit.root}, then npm run up`,
    );
  }
  const { command, args, env } = npmCleanInstall(kit);
  console.error('Its packages are not those of this checkout: npm installs them.');
  const install = await $({
    cwd: directory,
    env,
    nothrow: true,
    stdio: ['ignore', 2, 2],
  })`${command} ${args} --prefer-offline --loglevel=error`;
  if (install.exitCode === 0 && areAsLocked(directory)) return;
  throw new Error(
    `The npm packages of that release could not be installed (${directory}/package-lock.json): see above. Nothing was ` +
      'changed. What is not in the cache of npm needs its registry (npm ping); then run the same command again.',
  );
}

function areAsLocked(directory: string): boolean {
  return npmPackages.check(openKit(directory, process.env)) !== undefined;
}

/**
 * A link per package. Those that are folders of the project itself are links already, relative ones: made again as they
 * are, they name the program's own folders.
 */
function linkPackages(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    const source = join(from, name);
    if (name.startsWith('@')) linkPackages(source, join(to, name));
    else if (lstatSync(source).isSymbolicLink()) symlinkSync(readlinkSync(source), join(to, name));
    else symlinkSync(relative(to, source), join(to, name));
  }
}
