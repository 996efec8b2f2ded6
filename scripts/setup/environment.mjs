import { readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { pathToFileURL } from 'node:url';
import { dockerEndpoint } from './docker-endpoint.mjs';

/** @import { Kit } from './kit.mjs' */

/**
 * What the kit adds to the environment of its commands, PATH aside. What the person has set for the backend, the
 * passphrase and the Docker engine stays.
 *
 * @param {Kit} kit
 * @returns {Record<string, string>}
 */
export function kitVariables(kit) {
  /** @type {Record<string, string>} */
  const variables = { PULUMI_HOME: kit.pulumiHome, PULUMI_SKIP_UPDATE_CHECK: 'true' };
  if (!kit.env.PULUMI_BACKEND_URL) variables.PULUMI_BACKEND_URL = pathToFileURL(kit.state).href;
  if (usesOwnPassphrase(kit)) variables.PULUMI_CONFIG_PASSPHRASE_FILE = kit.passphrase;
  // An update starts Node for the program and for each provider: without compiling anew, in a third less of processor time.
  if (!kit.env.NODE_COMPILE_CACHE) variables.NODE_COMPILE_CACHE = kit.compileCache;
  // Not every client library knows contexts; all know DOCKER_HOST.
  const engine = dockerEndpoint(kit.env);
  if (engine.origin !== 'default' && engine.origin !== 'DOCKER_HOST') variables.DOCKER_HOST = engine.host;
  return variables;
}

/**
 * Whether the stacks' secrets are encrypted with the kit's generated passphrase. An empty one counts as set.
 *
 * @param {Kit} kit
 */
export function usesOwnPassphrase(kit) {
  return kit.env.PULUMI_CONFIG_PASSPHRASE === undefined && !kit.env.PULUMI_CONFIG_PASSPHRASE_FILE;
}

/**
 * Environment of everything that the kit starts.
 *
 * @param {Kit} kit
 * @returns {NodeJS.ProcessEnv}
 */
export function kitEnvironment(kit) {
  const images = imageSource(kit);
  return {
    ...kit.env,
    ...kitVariables(kit),
    ...(images ? { KIT_IMAGES: images } : {}),
    PATH: [kit.bin, kit.env.PATH].filter(Boolean).join(delimiter),
  };
}

/**
 * Where images come from: what KIT_IMAGES says, else what an earlier run found; undefined before the first one.
 *
 * @param {Kit} kit
 * @returns {string | undefined}
 */
export function imageSource(kit) {
  return kit.env.KIT_IMAGES || rememberedImageSource(kit);
}

/**
 * @param {Kit} kit
 * @returns {string | undefined}
 */
export function rememberedImageSource(kit) {
  try {
    return readFileSync(kit.imageSource, 'utf8').trim();
  } catch {
    return undefined; // nothing is remembered yet
  }
}

/**
 * The one line that puts the kit's tools on the PATH of the current shell.
 *
 * @param {Kit} kit
 * @param {'posix' | 'fish'} shell
 */
export function shellLine(kit, shell) {
  const variables = Object.entries(kitVariables(kit));
  const onPath = (kit.env.PATH ?? '').split(delimiter).includes(kit.bin);
  if (shell === 'fish') {
    const path = onPath ? [] : [`set -gx PATH ${quoteFish(kit.bin)} $PATH`];
    return [...path, ...variables.map(([name, value]) => `set -gx ${name} ${quoteFish(value)}`)].join('; ');
  }
  const path = onPath ? [] : [`PATH=${quotePosix(kit.bin)}:"$PATH"`];
  return `export ${[...path, ...variables.map(([name, value]) => `${name}=${quotePosix(value)}`)].join(' ')}`;
}

/** @param {string} text */
function quotePosix(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {string} text */
function quoteFish(text) {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
