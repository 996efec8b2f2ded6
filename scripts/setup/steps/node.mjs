import { existsSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { askTool } from '../child-process.mjs';
import { contentKey } from '../content-key.mjs';
import { isInside, linkedTool, linkTool } from '../kit.mjs';
import { npmCleanInstall } from '../npm.mjs';
import { removeOthers } from '../removal.mjs';
import { SetupError } from '../setup-error.mjs';
import { isAtLeast } from '../version.mjs';

/**
 * @import { Kit } from '../kit.mjs'
 * @import { Job, Step } from '../step-runner.mjs'
 */

/** The first one that runs TypeScript without being asked to. */
const minimum = '22.18';

/**
 * Node.js for everything but set-up itself: the machine's own where it is new enough, else the one that
 * `toolchain/node` pins, with its npm. An npm on an old Node.js would leave out packages that need a newer one.
 *
 * @type {Step}
 */
export const node = {
  name: 'Node.js',
  about: `a Node.js that is at least ${minimum}`,
  fetches: 'Node.js from npm',
  disk: (kit) => [{ what: 'Node.js', path: kit.toolchain, bytes: 0.4e9 }],

  async check(kit) {
    const linked = linkedTool(kit, 'node');
    if (linked === undefined) return undefined;
    if (linked === ownNode()) return `${process.version}, this machine's`;
    if (!existsSync(folder(kit)) || !isInside(linked, realpathSync(folder(kit)))) return undefined;
    if (linkedTool(kit, 'npm') === undefined) return undefined;
    const version = await askTool(linked, ['--version'], { env: kit.env });
    return isAtLeast(version, minimum) ? `${version}, from npm` : undefined;
  },

  async run(kit, job) {
    const own = ownNode();
    if (own) {
      linkTool(kit, 'node', own);
      return;
    }
    if (!existsSync(folder(kit))) {
      job.say(`this machine's is ${process.version}; using a newer one from npm, in .kit only`);
      await fetchNode(kit, job);
    }
    linkTool(kit, 'npm', join(folder(kit), 'npm', 'bin', 'npm-cli.js'));
    linkTool(kit, 'node', join(folder(kit), packageName, 'bin', 'node'));
  },
};

/**
 * The same Node.js and npm for another machine: in .kit, whatever this one has.
 *
 * @type {Step}
 */
export const nodeToCarry = {
  name: 'Node.js to carry',
  about: 'the Node.js that toolchain/node pins',
  after: ['Node.js'],
  disk: (kit) => [{ what: 'Node.js', path: kit.toolchain, bytes: 0.4e9 }],

  async check(kit) {
    const { folder: name, program } = toolchainNode(kit);
    const version = await askTool(join(kit.toolchain, name, program), ['--version'], { env: kit.env });
    return version === undefined ? undefined : `${version}, from npm`;
  },

  run: (kit, job) => fetchNode(kit, job),
};

/**
 * Where the pinned Node.js lies, once it is there: a folder of `.kit/toolchain`, and two paths in it.
 *
 * @param {Kit} kit
 */
export function toolchainNode(kit) {
  return {
    folder: basename(folder(kit)),
    program: join(packageName, 'bin', 'node'),
    npm: join('npm', 'bin', 'npm-cli.js'),
  };
}

/**
 * @param {Kit} kit
 * @param {Job} job
 */
async function fetchNode(kit, job) {
  const project = job.temporaryFolder();
  writeProject(kit, project);
  const { command, args, env } = npmCleanInstall(kit);
  await job.tool(command, args, { cwd: project, env });
  rmSync(folder(kit), { recursive: true, force: true });
  renameSync(join(project, 'node_modules'), folder(kit));
  removeOthers(kit.toolchain, 'node-', folder(kit));
}

const packageName = `node-linux-${process.arch}`;

/** The Node.js that runs this, where it is good enough for everything else, too. */
function ownNode() {
  return isAtLeast(process.version, minimum) ? realpathSync(process.execPath) : undefined;
}

/**
 * Writes a project that consists of npm and of the Node.js for this processor, as they are locked. In the lock file,
 * each processor's is optional, and npm does not mind when an optional package can't be downloaded. We do.
 *
 * @param {Kit} kit
 * @param {string} project
 */
function writeProject(kit, project) {
  /** @type {{ packages: Record<string, { version: string, integrity: string, optional?: boolean }> }} */
  const { packages } = JSON.parse(lockFile(kit));
  const ofNode = packages[`node_modules/${packageName}`];
  const ofNpm = packages['node_modules/npm'];
  if (!ofNode || !ofNpm) {
    throw new SetupError(`There is no Node.js for this processor (${process.arch}) on npm`, {
      remedy: `Install Node.js ${minimum} or newer yourself, then run the same command again.`,
    });
  }
  const dependencies = { npm: ofNpm.version, [packageName]: ofNode.version };
  const partsOfNpm = Object.entries(packages).filter(([path]) => path.startsWith('node_modules/npm'));
  const locked = {
    '': { dependencies },
    [`node_modules/${packageName}`]: { version: ofNode.version, integrity: ofNode.integrity },
    ...Object.fromEntries(partsOfNpm),
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify({ dependencies }));
  writeFileSync(join(project, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages: locked }));
}

/** @param {Kit} kit */
function folder(kit) {
  return join(kit.toolchain, `node-${contentKey({ lock: lockFile(kit), arch: process.arch })}`);
}

/** @param {Kit} kit */
function lockFile(kit) {
  return readFileSync(join(kit.root, 'toolchain', 'node', 'package-lock.json'), 'utf8');
}
