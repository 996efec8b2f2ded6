import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installedBundle } from '../bundle.mjs';
import { ask, dockerEndpoint } from '../docker-endpoint.mjs';
import { imageSource as chosenImageSource, rememberedImageSource } from '../environment.mjs';
import { SetupError } from '../setup-error.mjs';

/** @import { Step } from '../step-runner.mjs' */

const sources = ['registry', 'local'];

/**
 * Where images come from: pinned public ones (`registry`), or one base image built from Debian packages (`local`).
 * Found out once and remembered, so that a stack does not change with the weather; KIT_IMAGES decides otherwise.
 *
 * @type {Step}
 */
export const imageSource = {
  name: 'Image source',
  about: 'does a registry of public images answer?',
  after: ['Docker engine'],

  check(kit) {
    const remembered = rememberedImageSource(kit);
    return remembered && sources.includes(remembered) && remembered === chosenImageSource(kit) ? remembered : undefined;
  },

  async run(kit, job) {
    const wanted = kit.env.KIT_IMAGES;
    if (wanted && !sources.includes(wanted)) {
      throw new SetupError(`KIT_IMAGES is ${JSON.stringify(wanted)}`, {
        remedy: `Set it to ${sources.join(' or ')}, or not at all.`,
      });
    }
    const source =
      wanted ||
      installedBundle(kit)?.images.source ||
      (await askRegistry(dockerEndpoint(kit.env).host, job.signal, job.say));
    const made = join(job.temporaryFolder(), 'image-source');
    writeFileSync(made, `${source}\n`);
    renameSync(made, kit.imageSource);
  },
};

/**
 * Has the engine look an image up, without pulling it: what counts is whether the engine gets through, with its own
 * mirrors and proxies.
 *
 * @param {string} host
 * @param {AbortSignal} signal
 * @param {(text: string) => void} say
 * @returns {Promise<'registry' | 'local'>}
 */
async function askRegistry(host, signal, say) {
  if (host.startsWith('ssh://')) return 'registry'; // an engine elsewhere: nothing built here would reach it
  let reason;
  try {
    const { status, body } = await ask(host, '/distribution/redis:latest/json', { timeout: 8000, signal });
    if (status === 200) return 'registry';
    reason = messageOf(body) ?? `HTTP ${status}`;
  } catch (error) {
    signal.throwIfAborted();
    reason = error instanceof Error ? error.message : String(error);
  }
  say(
    `the engine reaches no registry of public images (${reason}), so images are built here from Debian packages: a fallback. ` +
      'Once it does: KIT_IMAGES=registry npm run setup',
  );
  return 'local';
}

/** @param {string} body */
function messageOf(body) {
  try {
    return String(JSON.parse(body).message);
  } catch {
    return undefined; // not an engine's answer: a proxy's, say
  }
}
