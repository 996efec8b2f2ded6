import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { askTool } from './child-process.mjs';
import { ownTools } from './kit.mjs';
import { isAtLeast } from './version.mjs';

/** @import { Kit } from './kit.mjs' */

/**
 * @typedef {object} Go
 * @property {string} command
 * @property {string} version  `go1.26.8`
 * @property {string} buildCache  folder
 * @property {string} moduleCache  folder
 */

/**
 * A Go that can build a module, or why there is none.
 *
 * @param {Kit} kit
 * @param {string} goMod  path of the module's go.mod
 * @returns {Promise<{ go: Go, problem?: undefined } | { go?: undefined, problem: string }>}
 */
export async function findGo(kit, goMod) {
  const needed = requiredGo(readFileSync(goMod, 'utf8'));
  const usual = ['/usr/local/go/bin/go', '/usr/lib/go/bin/go'].filter((path) => existsSync(path));
  const problems = [];
  for (const command of [...ownTools(kit, 'go'), ...usual]) {
    // Asked from outside the module: inside, an older one would start to download the version that the module names.
    const answer = await askTool(command, ['env', 'GOVERSION', 'GOTOOLCHAIN', 'GOCACHE', 'GOMODCACHE'], {
      env: goEnvironment(kit),
      cwd: '/',
    });
    const [version = '', toolchain = '', buildCache = '', moduleCache = ''] = answer?.split('\n') ?? [];
    const fetchesNewer = isAtLeast(version, '1.21') && toolchain !== 'local';
    if (isAtLeast(version, needed) || fetchesNewer) return { go: { command, version, buildCache, moduleCache } };
    problems.push(version ? `${command} is ${version}` : `${command} does not answer`);
  }
  const found = problems.length > 0 ? ` (${problems.join(', ')})` : '';
  return { problem: `there is no Go ${needed} or newer to build it with${found}` };
}

/**
 * The version in the `go` line of a go.mod.
 *
 * @param {string} goMod
 * @returns {string}
 */
export function requiredGo(goMod) {
  const [, version] = /^go (\S+)$/m.exec(goMod) ?? [];
  if (!version) throw new Error('go.mod has no go line');
  return version;
}

/**
 * Builds without C compiler, without a surrounding workspace, and without Go's usage counters in the person's home;
 * their own Go settings (a proxy, say) keep counting. Fewer collections while compiling save a tenth of the time.
 *
 * @param {Kit} kit
 * @returns {NodeJS.ProcessEnv}
 */
export function goEnvironment(kit) {
  const { env } = kit;
  const configuration = env.XDG_CONFIG_HOME ?? join(env.HOME ?? homedir(), '.config');
  return {
    ...env,
    CGO_ENABLED: '0',
    GOWORK: 'off',
    GOGC: env.GOGC ?? '200',
    GOENV: env.GOENV ?? join(configuration, 'go', 'env'),
    XDG_CONFIG_HOME: join(kit.temporary, 'go'),
  };
}
