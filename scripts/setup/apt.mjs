import { existsSync } from 'node:fs';
import { SetupError } from './setup-error.mjs';

/**
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
  const names = packages.join(' ');
  if (!existsSync('/etc/debian_version')) {
    throw new SetupError(`${why}, and this is neither Debian nor Ubuntu`, {
      remedy: `Install what these packages bring there: ${names}. Then run the same command again.`,
    });
  }
  if (process.getuid?.() !== 0) {
    throw new SetupError(`${why}, and only root can install the packages: ${names}`, {
      remedy: `sudo apt-get update && sudo apt-get install --no-install-recommends -y ${names} && ${alsoDo}`,
    });
  }
  job.say(`${why}; installing the Debian packages ${names} (apt-get)`);
  // On SIGINT, apt lets a running dpkg finish; on SIGTERM it leaves it alone with the lock.
  const settings = {
    env: systemEnvironment(kit),
    cwd: '/',
    stopSignal: /** @type {const} */ ('SIGINT'),
    grace: 60_000,
  };
  const apt = ['-q', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
  await job.tool('dpkg', ['--configure', '-a'], settings); // mends what an earlier, interrupted run left half-done
  await job.tool('apt-get', [...apt, 'update'], settings);
  await job.tool('apt-get', [...apt, 'install', '--yes', '--no-install-recommends', ...packages], settings);
}
