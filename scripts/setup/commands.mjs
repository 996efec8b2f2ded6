import { stackFileValue } from './stack-file.mjs';
import { baseImage } from './steps/base-image.mjs';
import { bundledImages } from './steps/bundled-images.mjs';
import { dockerEngine } from './steps/docker-engine.mjs';
import { dockerPlugin } from './steps/docker-plugin.mjs';
import { imageSource } from './steps/image-source.mjs';
import { node, nodeToCarry } from './steps/node.mjs';
import { npmPackages } from './steps/npm-packages.mjs';
import { pulumiCli, pulumiToCarry } from './steps/pulumi-cli.mjs';
import { state } from './steps/state.mjs';

/** @import { Step } from './step-runner.mjs' */

/**
 * @typedef {object} Command
 * @property {string} summary  one line of `--help`
 * @property {(args: readonly string[], root: string) => readonly Step[]} needs  what has to be in place, in order
 * @property {readonly ['script', string] | readonly ['pulumi'] | readonly ['shell line'] | readonly ['nothing']} runs
 */

const typescript = [node, npmPackages];
const pulumi = [node, npmPackages, pulumiCli, dockerPlugin, state];
const local = [...pulumi, dockerEngine, bundledImages, imageSource];
const ownImages = [dockerEngine, bundledImages, imageSource, baseImage({ for: 'tests' })];

/** @type {Readonly<Record<string, Command>>} */
export const commands = {
  up: {
    summary: 'deploy the stack, smoke-test it, say where things are',
    needs: (args, root) => onStack(args, root, [...local, baseImage({ for: 'stack' })]),
    runs: ['script', 'scripts/up.ts'],
  },
  deploy: {
    summary: 'deploy a stack that people use: shown, confirmed, copied, tested, rolled back by itself (-- --help)',
    needs: (args, root) => onStack(args, root, [...local, baseImage({ for: 'stack' })]),
    runs: ['script', 'scripts/deploy.ts'],
  },
  history: {
    summary: 'list what was deployed, when, by whom and with what verdict',
    needs: (args) => (asksForHelp(args) ? typescript : pulumi),
    runs: ['script', 'scripts/history.ts'],
  },
  down: {
    summary: 'take the stack down; its data stays (-- --volumes: that, too)',
    needs: (args, root) => onStack(args, root, [...pulumi, dockerEngine]),
    runs: ['script', 'scripts/down.ts'],
  },
  smoke: {
    summary: 'restart each container of the stack, read a conversation back from each tier',
    needs: (args, root) => onStack(args, root, [...pulumi, dockerEngine]),
    runs: ['script', 'scripts/smoke.ts'],
  },
  health: {
    summary: 'ask the service of the stack how it and its neighbours are',
    needs: (args, root) => (optionValue(args, '--endpoint') ? typescript : onStack(args, root, pulumi)),
    runs: ['script', 'scripts/health.ts'],
  },
  rollback: {
    summary: 'list the releases of the stack, or go back to one (-- --to <number>)',
    needs: (args, root) => onStack(args, root, [...pulumi, dockerEngine]),
    runs: ['script', 'scripts/rollback.ts'],
  },
  drift: {
    summary: 'what was changed by hand since the last update (exit 1), without changing anything',
    needs: (args, root) => onStack(args, root, [...pulumi, dockerEngine]),
    runs: ['script', 'scripts/drift.ts'],
  },
  box: {
    summary: 'bring a bare machine to where a stack can be deployed on it, over SSH (-- prepare optiplex)',
    needs: onBox,
    runs: ['script', 'scripts/box.ts'],
  },
  test: {
    summary: 'check the code and run every test (-- arguments for vitest)',
    needs: (args) => (onlyUnitTests(args) ? typescript : [...local, baseImage({ for: 'tests' })]),
    runs: ['script', 'scripts/test.ts'],
  },
  bundle: {
    summary: 'make one file that installs and updates the kit on a box without internet',
    needs: (args) =>
      asksForHelp(args) || optionValue(args, '--verify')
        ? typescript
        : [...local, baseImage({ for: 'stack' }), nodeToCarry, pulumiToCarry],
    runs: ['script', 'scripts/bundle.ts'],
  },
  check: {
    summary: 'check the code: types, style, import boundaries, dead code',
    needs: () => typescript,
    runs: ['script', 'scripts/check.ts'],
  },
  sdk: {
    summary: 'generate sdks/supabase anew from the provider’s schema (-- --check: only compare)',
    needs: () => typescript,
    runs: ['script', 'scripts/sdk.ts'],
  },
  benchmark: {
    summary: 'measure the service, or releases (-- deploy), beside the limit and their peers (-- --help)',
    needs: (args) =>
      args[0] === 'deploy' && !asksForHelp(args) ? [...local, baseImage({ for: 'stack' })] : onTestServers(args),
    runs: ['script', 'benchmarks/main.ts'],
  },
  fuzz: {
    summary: 'send the service what its OpenAPI document allows and forbids (-- --help)',
    needs: onTestServers,
    runs: ['script', 'tests/fuzz/main.ts'],
  },
  pulumi: {
    summary: 'any Pulumi command, with the kit’s own engine, home and state (-- up -s local)',
    needs: () => pulumi,
    runs: ['pulumi'],
  },
  env: {
    summary: 'one line that gives a shell the same: eval "$(npm run -s env)" (fish: npm run -s env -- --fish | source)',
    needs: () => pulumi,
    runs: ['shell line'],
  },
  setup: {
    summary: 'only put in place what the other commands need',
    needs: () => [...local, baseImage({ for: 'tests' })],
    runs: ['nothing'],
  },
};

export const usage = `npm run <command> [-- arguments]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  .join('\n')}

Each command first puts in place what it needs, in the folder .kit of the project, and skips what is there. It says so
before it installs a system package. Logs are in .kit/logs. \`npm run <command> -- --help\` tells more.

  KIT_IMAGES=registry|local   pull public images, or build them here from Debian packages (default: what works)
  PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE, DOCKER_HOST   are respected`;

/**
 * What a command needs that starts servers of its own.
 *
 * @param {readonly string[]} args
 * @returns {readonly Step[]}
 */
function onTestServers(args) {
  return asksForHelp(args) ? typescript : [...typescript, ...ownImages];
}

/**
 * What a command on a stack needs: only \`local\` runs images that are made here, and an engine on another box is not
 * ours to set up.
 *
 * @param {readonly string[]} args
 * @param {string} root
 * @param {readonly Step[]} steps
 * @returns {readonly Step[]}
 */
function onStack(args, root, steps) {
  if (asksForHelp(args)) return typescript;
  const stack = optionValue(args, '--stack') ?? 'local';
  const isElsewhere = /^(ssh|tcp):/.test(stackFileValue(root, stack, 'dockerHost') ?? '');
  const needless = [
    ...(stack === 'local' ? [] : ['Image source', 'Base image']),
    ...(isElsewhere ? ['Docker engine', 'Bundled images'] : []),
  ];
  return steps.filter(({ name }) => !needless.includes(name));
}

/**
 * What a command on the box of a stack needs: images that are made here are carried there.
 *
 * @param {readonly string[]} args
 * @param {string} root
 * @returns {readonly Step[]}
 */
function onBox(args, root) {
  const carries = args.some((word) => stackFileValue(root, word, 'images') === 'local');
  return carries && !asksForHelp(args) ? [...typescript, ...ownImages] : typescript;
}

/**
 * Whether only tests without I/O are asked for: they need no server.
 *
 * @param {readonly string[]} args
 */
export function onlyUnitTests(args) {
  return optionValue(args, '--project') === 'unit' && args.filter((arg) => arg.startsWith('--project')).length === 1;
}

/** @param {readonly string[]} args */
export function asksForHelp(args) {
  return args.includes('--help') || args.includes('-h');
}

/**
 * @param {readonly string[]} args
 * @param {string} name
 * @returns {string | undefined}
 */
function optionValue(args, name) {
  const index = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`));
  const arg = args[index];
  return arg?.includes('=') ? arg.slice(name.length + 1) : arg && args[index + 1];
}
