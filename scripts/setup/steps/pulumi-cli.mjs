import { accessSync, constants, copyFileSync, existsSync, readFileSync, realpathSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { askTool, ToolError } from '../child-process.mjs';
import { contentKey } from '../content-key.mjs';
import { demandDiskSpace } from '../disk-space.mjs';
import { findGo, goEnvironment } from '../go.mjs';
import { isInside, linkedTool, linkTool, ownTools } from '../kit.mjs';
import { npmCleanInstall } from '../npm.mjs';
import { pulumiReleasesAnswer } from '../pulumi-releases.mjs';
import { removeOthers } from '../removal.mjs';
import { SetupError } from '../setup-error.mjs';
import { isAtLeast } from '../version.mjs';

/**
 * @import { Kit } from '../kit.mjs'
 * @import { Job, Step } from '../step-runner.mjs'
 */

/** The first one in which an after-create hook that fails makes the update fail: the health gate of a release is one. */
const minimum = '3.238';
const languageHost = 'pulumi-language-nodejs';

/**
 * The Pulumi CLI and its host for Node.js programs: the ones on PATH where they are new enough, else the official
 * release, else built from `toolchain/`.
 *
 * @type {Step}
 */
export const pulumiCli = {
  name: 'Pulumi CLI',
  about: `a Pulumi that is at least ${minimum}`,
  fetches: 'Pulumi from its release host, or what it is built from',
  after: ['Node.js'],
  disk: (kit) => [{ what: 'Pulumi', path: kit.toolchain, bytes: 0.3e9 }],

  async check(kit) {
    const linked = linkedTool(kit, 'pulumi');
    const host = linkedTool(kit, languageHost);
    if (!linked || !host || !isProgram(host)) return undefined;
    const origin = originOf(kit, linked);
    if (origin === undefined) return undefined;
    const version = await askTool(linked, ['version'], {
      env: { ...kit.env, PULUMI_HOME: kit.pulumiHome, PULUMI_SKIP_UPDATE_CHECK: 'true' },
    });
    return isAtLeast(version, minimum) ? `${version}, ${origin}` : undefined;
  },

  async run(kit, job) {
    const folder =
      (await onPath(kit)) ??
      [releaseFolder(kit), buildFolder(kit)].find((made) => existsSync(made)) ??
      (await release(kit, job)) ??
      (await build(kit, job));
    linkTool(kit, 'pulumi', join(folder, 'pulumi'));
    linkTool(kit, languageHost, join(folder, languageHost));
    if (isInside(folder, kit.toolchain)) removeOthers(kit.toolchain, 'pulumi-', folder);
  },
};

/**
 * A Pulumi CLI for another machine: in .kit, whatever this one has on its PATH.
 *
 * @type {Step}
 */
export const pulumiToCarry = {
  name: 'Pulumi CLI to carry',
  about: 'a Pulumi CLI in .kit/toolchain',
  after: ['Pulumi CLI'],
  disk: (kit) => [{ what: 'Pulumi', path: kit.toolchain, bytes: 0.3e9 }],

  check: (kit) => toolchainPulumi(kit),

  async run(kit, job) {
    (await release(kit, job)) ?? (await build(kit, job));
  },
};

/**
 * The folder of `.kit/toolchain` with the CLI and its language host; undefined before it is there.
 *
 * @param {Kit} kit
 * @returns {string | undefined}
 */
export function toolchainPulumi(kit) {
  const folder = [releaseFolder(kit), buildFolder(kit)].find((made) => existsSync(made));
  return folder && basename(folder);
}

/**
 * Where a linked CLI comes from; undefined where it is one of ours that has been superseded.
 *
 * @param {Kit} kit
 * @param {string} program
 */
function originOf(kit, program) {
  const folder = dirname(program);
  if (existsSync(releaseFolder(kit)) && folder === realpathSync(releaseFolder(kit))) return 'the official release';
  if (existsSync(buildFolder(kit)) && folder === realpathSync(buildFolder(kit))) return 'built from toolchain/';
  return isInside(program, realpathSync(kit.directory)) ? undefined : 'this machine’s';
}

/**
 * The folder of a CLI on PATH that is new enough and has its language host beside it.
 *
 * @param {Kit} kit
 * @returns {Promise<string | undefined>}
 */
async function onPath(kit) {
  for (const program of ownTools(kit, 'pulumi')) {
    const folder = [dirname(program), dirname(realpathSync(program))].find((beside) =>
      isProgram(join(beside, languageHost)),
    );
    if (folder === undefined) continue;
    const version = await askTool(program, ['version'], { env: { ...kit.env, PULUMI_SKIP_UPDATE_CHECK: 'true' } });
    if (isAtLeast(version, minimum)) return folder;
  }
  return undefined;
}

/**
 * Downloads the official release through the npm package `pulumi`, which does that the first time it is run.
 *
 * @param {Kit} kit
 * @param {Job} job
 * @returns {Promise<string | undefined>} undefined where it can't be had
 */
async function release(kit, job) {
  if (!(await pulumiReleasesAnswer(kit))) return undefined;
  const project = job.temporaryFolder();
  for (const file of ['package.json', 'package-lock.json']) {
    copyFileSync(join(kit.root, 'toolchain', 'pulumi-release', file), join(project, file));
  }
  try {
    const { command, args, env } = npmCleanInstall(kit);
    await job.tool(command, args, { cwd: project, env });
    const download = {
      ...kit.env,
      PULUMI_HOME: project,
      PULUMI_VERSION: releaseVersion(kit),
      PULUMI_SKIP_UPDATE_CHECK: 'true',
      NODE_USE_ENV_PROXY: '1',
    };
    const program = join(project, 'node_modules', 'pulumi', 'run.js');
    await job.tool(join(kit.bin, 'node'), [program, 'version'], { env: download, timeout: 600_000 });
  } catch (error) {
    if (error instanceof ToolError) return undefined; // the host answered a moment ago and does not deliver
    throw error;
  }
  renameSync(join(project, 'versions', releaseVersion(kit), 'bin'), releaseFolder(kit));
  return releaseFolder(kit);
}

/**
 * @param {Kit} kit
 * @param {Job} job
 * @returns {Promise<string>}
 */
async function build(kit, job) {
  const modules = join(kit.root, 'toolchain');
  const { go, problem } = await findGo(kit, join(modules, 'engine', 'go.mod'));
  if (go === undefined) {
    throw new SetupError(`Pulumi’s release can’t be downloaded, and ${problem}`, {
      remedy:
        `Do one of these, then run the same command again:\n` +
        `  - install Go (https://go.dev/doc/install)\n` +
        `  - put the Pulumi CLI, ${minimum} or newer, on PATH (https://www.pulumi.com/docs/iac/download-install)\n` +
        `  - give this machine access to get.pulumi.com`,
    });
  }
  demandDiskSpace([
    { what: 'Go’s cache of modules', path: go.moduleCache, bytes: 1.8e9 },
    { what: 'Go’s cache of builds', path: go.buildCache, bytes: 1.5e9 },
  ]);
  job.say(
    `the official release can’t be downloaded here; building it from source with ${go.version}: a fallback, about 4 minutes on 2 cores`,
  );
  const folder = job.temporaryFolder();
  for (const { module, program, source } of builds) {
    const args = ['build', ...buildFlags(kit), '-o', join(folder, 'built', program), source];
    await job.tool(go.command, args, { cwd: join(modules, module), env: goEnvironment(kit) });
  }
  renameSync(join(folder, 'built'), buildFolder(kit));
  return buildFolder(kit);
}

/** The language host is of another version of the same Go module than the engine; so it is a module of its own. */
const builds = [
  { module: 'engine', program: 'pulumi', source: 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi' },
  {
    module: 'language-nodejs',
    program: languageHost,
    source: 'github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs',
  },
];

/**
 * Nobody debugs it: without symbols, it is compiled a seventh faster and a third smaller.
 *
 * @param {Kit} kit
 */
function buildFlags(kit) {
  const version = 'github.com/pulumi/pulumi/sdk/v3/go/common/version.Version';
  return ['-v', '-buildvcs=false', '-gcflags=all=-dwarf=false', `-ldflags=-s -w -X ${version}=v${releaseVersion(kit)}`];
}

/** @param {Kit} kit */
function buildFolder(kit) {
  /** @type {Record<string, string | Buffer>} */
  const parts = { flags: buildFlags(kit).join(' '), arch: process.arch };
  for (const { module } of builds) {
    for (const file of ['go.mod', 'go.sum'])
      parts[`${module}/${file}`] = readFileSync(join(kit.root, 'toolchain', module, file));
  }
  return join(kit.toolchain, `pulumi-built-${contentKey(parts)}`);
}

/** @param {Kit} kit */
function releaseFolder(kit) {
  return join(kit.toolchain, `pulumi-release-${releaseVersion(kit)}`);
}

/**
 * The npm package has the version of the CLI that it downloads.
 *
 * @param {Kit} kit
 * @returns {string}
 */
function releaseVersion(kit) {
  /** @type {{ dependencies: { pulumi: string } }} */
  const { dependencies } = JSON.parse(
    readFileSync(join(kit.root, 'toolchain', 'pulumi-release', 'package.json'), 'utf8'),
  );
  return dependencies.pulumi;
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not to be run: no program either way
  }
}
