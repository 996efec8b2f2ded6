import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleFolder, installedBundle } from './bundle.mjs';
import { SetupError } from './setup-error.mjs';

/**
 * @import { InstalledBundle } from './bundle.mjs'
 * @import { Kit } from './kit.mjs'
 * @import { Job } from './step-runner.mjs'
 */

/** Where what Debian packages bring for root lies; a plain user's PATH may lack it. */
const systemFolders = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin';

/**
 * The environment to run system programs with.
 *
 * @param {Kit} kit
 * @returns {NodeJS.ProcessEnv}
 */
export function systemEnvironment(kit) {
  return {
    ...kit.env,
    PATH: [kit.env.PATH, systemFolders].filter(Boolean).join(':'),
    DEBIAN_FRONTEND: 'noninteractive',
  };
}

/**
 * Installs Debian packages, after having said which and why. Needs root, and says what to do without.
 *
 * @param {Kit} kit
 * @param {Job} job
 * @param {readonly string[]} packages
 * @param {{ why: string, alsoDo: string }} options  alsoDo: what else a person without root has to do, as a command
 */
export async function installPackages(kit, job, packages, { why, alsoDo }) {
  const bundle = installedBundle(kit);
  const names = packages.join(' ');
  if (!existsSync('/etc/debian_version')) {
    throw new SetupError(`${why}, and this is neither Debian nor Ubuntu`, {
      remedy: `Install what these packages bring there: ${names}. Then run the same command again.`,
    });
  }
  const archive = bundle && bundledArchive(kit, bundle, why);
  const apt = ['-q', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3', ...(archive ?? [])];
  if (process.getuid?.() !== 0) {
    const command = `apt-get ${(archive ?? []).join(' ')}`.trim();
    throw new SetupError(`${why}, and only root can install the packages: ${names}`, {
      remedy: `sudo ${command} update && sudo ${command} install --no-install-recommends -y ${names} && ${alsoDo}`,
    });
  }
  job.say(`${why}; installing the Debian packages ${names} (apt-get${bundle ? ', from the bundle' : ''})`);
  // On SIGINT, apt lets a running dpkg finish; on SIGTERM it leaves it alone with the lock.
  const settings = {
    env: systemEnvironment(kit),
    cwd: '/',
    stopSignal: /** @type {const} */ ('SIGINT'),
    grace: 60_000,
  };
  await job.tool('dpkg', ['--configure', '-a'], settings); // mends what an earlier, interrupted run left half-done
  await job.tool('apt-get', [...apt, 'update'], settings);
  await job.tool('apt-get', [...apt, 'install', '--yes', '--no-install-recommends', ...packages], settings);
}

/**
 * Options with which apt knows no archive but the packages of a bundle. They were checked when the bundle was made
 * (signatures) and when it was installed (digests), so apt does not ask for a signature again.
 *
 * @param {Kit} kit
 * @param {InstalledBundle} bundle
 * @param {string} why
 * @returns {string[]}
 */
export function bundledArchive(kit, { packages }, why) {
  const here = distribution(readFileSync('/etc/os-release', 'utf8'));
  if (packages?.distribution !== here) {
    throw new SetupError(
      `${why}, and the bundle that this was installed from has ${packages ? `packages for ${packages.distribution} only` : 'no packages'}; this is ${here}`,
      { remedy: `Install a Docker engine, 20.10 or newer, in the way of this machine, or make the bundle on ${here}.` },
    );
  }
  const folder = join(bundleFolder(kit), 'packages');
  const state = join(bundleFolder(kit), 'apt');
  for (const name of ['lists', 'cache']) mkdirSync(join(state, name, 'partial'), { recursive: true });
  writeFileSync(join(state, 'bundle.list'), `deb [trusted=yes] file:${encodeURI(folder)} ./\n`);
  const settings = {
    'Dir::Etc::sourcelist': join(state, 'bundle.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(state, 'lists'),
    'Dir::Cache': join(state, 'cache'),
    'APT::Sandbox::User': 'root',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/**
 * Which release of which distribution an `os-release` file is about: `debian bookworm`.
 *
 * @param {string} osRelease
 */
export function distribution(osRelease) {
  const [id, codename] = ['ID', 'VERSION_CODENAME'].map(
    (name) => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? 'unknown',
  );
  return `${id} ${codename}`;
}
