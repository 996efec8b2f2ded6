import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { ownTools } from './kit.mjs';
import { SetupError } from './setup-error.mjs';

/** @import { Kit } from './kit.mjs' */

/** Exactly what the lock file says, and no script of any package: nothing here needs one. */
const cleanInstall = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=notice'];

/**
 * How to have the person's npm install what a lock file says. It runs with the Node.js it came with, not with the kit's.
 *
 * @param {Kit} kit
 * @returns {{ command: string, args: string[], env: NodeJS.ProcessEnv }}
 */
export function npmCleanInstall(kit) {
  // Set while npm runs a script; pnpm and yarn set it, too, to themselves.
  const running = kit.env.npm_execpath;
  if (running && basename(running) === 'npm-cli.js' && existsSync(running)) {
    return { command: process.execPath, args: [running, ...cleanInstall], env: kit.env };
  }
  const [installed] = ownTools(kit, 'npm');
  if (installed) return { command: installed, args: cleanInstall, env: kit.env };
  throw new SetupError('There is no npm on PATH', {
    remedy: 'Install it (Debian and Ubuntu: apt-get install npm), then run the same command again.',
  });
}
