import { existsSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { linkedTool, ownTools } from './kit.mjs';
import { SetupError } from './setup-error.mjs';

/** @import { Kit } from './kit.mjs' */

/**
 * Exactly what the lock file says, and no script of any package: nothing here needs one. It prints each download, so
 * that one can see whether it gets on, and gives up on a dead network after half a minute (by default, it takes more
 * than one).
 */
const cleanInstall = [
  ...['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=http'],
  ...['--fetch-retries=3', '--fetch-retry-mintimeout=2000', '--fetch-retry-maxtimeout=10000'],
];

/**
 * How to have npm install what a lock file says: the kit's npm where it has one, else the person's.
 *
 * @param {Kit} kit
 * @returns {{ command: string, args: string[], env: NodeJS.ProcessEnv }}
 */
export function npmCleanInstall(kit) {
  const kits = linkedTool(kit, 'npm');
  if (kits) {
    const env = { ...kit.env, PATH: [kit.bin, kit.env.PATH].filter(Boolean).join(delimiter) };
    return { command: join(kit.bin, 'node'), args: [kits, ...cleanInstall], env };
  }
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
