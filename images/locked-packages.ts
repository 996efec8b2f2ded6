import { spawnSync } from 'node:child_process';

/**
 * Installs into `directory` exactly what the package-lock.json there names, each package checked against its digest.
 * No script of any package runs. Uses the npm on PATH, with the registry it is configured for.
 */
export function installLockedPackages(directory: string): void {
  const command = [
    'ci',
    '--omit=dev',
    '--omit=optional',
    '--ignore-scripts',
    '--prefer-offline', // locked by digest: what npm has is as good as what it would fetch
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const { status, error, stderr } = spawnSync('npm', command, { cwd: directory, encoding: 'utf8' });
  if (error) {
    throw new Error('There is no npm on PATH. Install it (Debian and Ubuntu: apt-get install npm), then try again.', {
      cause: error,
    });
  }
  if (status !== 0) {
    throw new Error(
      `npm could not install what ${directory}/package-lock.json names:\n${stderr.trim()}\nSee that npm reaches its registry (npm ping), then try again.`,
    );
  }
}
