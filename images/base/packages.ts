import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { distributionOf, distributionSources, type SourcesFile, suitesOf } from './apt-sources.ts';
import { CommandFailed, isDiskFull, run } from './command.ts';
import { BaseImageProblem } from './problem.ts';

export interface DownloadedPackage {
  readonly name: string;
  readonly version: string;
  /** Path of the `.deb` file. */
  readonly file: string;
}

/** Environment variable that names a sources file of apt's to use in place of the machine's own. */
export const sourcesVariable = 'KIT_BASE_SOURCES';

/** Milliseconds for one call of apt: more than it needs on a slow line, less than for ever. */
const patience = 15 * 60_000;

/** Packages asked for by name, and which of their dependencies are left out: regular expressions over names. */
export interface WantedPackages {
  readonly packages: readonly string[];
  readonly without: readonly string[];
}

/**
 * Downloads what is asked for, with all that it needs, into `directory`, as if nothing were installed yet. Uses
 * the machine's apt with its mirrors, proxies and keys, and a state of its own: nothing of the machine changes, and no
 * root is needed. apt checks signatures and digests.
 */
export async function downloadPackages(
  directory: string,
  wanted: WantedPackages,
  { signal, say }: { signal: AbortSignal; say(text: string): void },
): Promise<DownloadedPackage[]> {
  const sources = await packageSources();
  say(`package lists of ${suitesOf(sources).join(', ')}`);
  const configuration = await privateState(directory, sources);
  const apt = (...args: string[]) =>
    aptRun(['apt-get', '-c', configuration, '-q', ...args], { signal, cwd: join(directory, 'packages') });

  await apt('update');
  const chosen = chosenPackages(await apt('--simulate', 'install', ...wanted.packages), wanted.without);
  say(`${chosen.length} packages`);
  await apt('download', ...chosen.map(({ name, version }) => `${name}=${version}`));

  const files = (await readdir(join(directory, 'packages'))).filter((file) => file.endsWith('.deb'));
  return chosen.map(({ name, version }) => {
    const file = files.find((candidate) => candidate.startsWith(`${name}_`));
    if (file === undefined) throw new Error(`apt downloaded no file for the package ${name}`);
    return { name, version, file: join(directory, 'packages', file) };
  });
}

/** Reads the plan that `apt-get --simulate install` prints, without what is left out. */
export function chosenPackages(plan: string, without: readonly string[]): { name: string; version: string }[] {
  const unwanted = without.map((pattern) => new RegExp(`^(${pattern})$`));
  const planned = [...plan.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) /gm)].map(([, name = '', version = '']) => ({
    name: name.replace(/:.*/, ''),
    version,
  }));
  return planned.filter(({ name }) => !unwanted.some((pattern) => pattern.test(name)));
}

async function packageSources(): Promise<SourcesFile[]> {
  const named = process.env[sourcesVariable];
  if (named !== undefined) return [{ name: basename(named), text: await readNamed(named) }];
  const distribution = distributionOf(await readOr('/etc/os-release', ''));
  const folder = '/etc/apt/sources.list.d';
  const names = (await namesIn(folder)).filter((name) => /\.(list|sources)$/.test(name));
  const files = await Promise.all(
    ['/etc/apt/sources.list', ...names.map((name) => join(folder, name))].map(async (path) => ({
      name: basename(path),
      text: await readOr(path, ''),
    })),
  );
  const kept = distributionSources(files, distribution);
  if (kept.length > 0) return kept;
  const release = distribution.codenames.join('/') || 'a Debian or Ubuntu release';
  throw new BaseImageProblem(`This machine's apt names no archive of ${release} in /etc/apt`, {
    remedy: `The base image is built from Debian's or Ubuntu's packages. Name a sources file for it with ${sourcesVariable}=<file>.sources, or pull public images: KIT_IMAGES=registry.`,
  });
}

async function readNamed(path: string): Promise<string> {
  if (!/\.(list|sources)$/.test(path)) {
    throw new BaseImageProblem(`${sourcesVariable} names ${path}, which is no sources file`, {
      remedy: 'Its name ends in .list or .sources: that says which of the two formats it has.',
    });
  }
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new BaseImageProblem(`${sourcesVariable} names ${path}, which can't be read`, {
      remedy: 'Name a sources file of apt that is there, or unset it.',
      cause,
    });
  }
}

/** Writes a configuration with which apt knows no installed package and writes below `directory` only. */
async function privateState(directory: string, sources: readonly SourcesFile[]): Promise<string> {
  const folders = ['packages', 'sources', 'apt/lists/partial', 'apt/cache/archives/partial'];
  await Promise.all(folders.map((folder) => mkdir(join(directory, folder), { recursive: true })));
  await Promise.all(sources.map(({ name, text }) => writeFile(join(directory, 'sources', name), text)));
  await writeFile(join(directory, 'apt/status'), '');
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const file = join(directory, 'apt.conf');
  const settings = {
    'APT::Architecture': architecture,
    'APT::Sandbox::User': 'root',
    'APT::Install-Recommends': 'false',
    'APT::Install-Suggests': 'false',
    'APT::Update::Error-Mode': 'any',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    'Acquire::http::Timeout': '30',
    'Acquire::https::Timeout': '30',
    'Dir::State': join(directory, 'apt'),
    'Dir::State::lists': join(directory, 'apt/lists'),
    'Dir::State::status': join(directory, 'apt/status'),
    'Dir::State::extended_states': join(directory, 'apt/extended_states'),
    'Dir::Cache': join(directory, 'apt/cache'),
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': join(directory, 'sources'),
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
  };
  // The machine's hooks are about the machine's own state.
  const hooks = [
    'APT::Update::Post-Invoke',
    'APT::Update::Post-Invoke-Success',
    'DPkg::Post-Invoke',
    'DPkg::Pre-Invoke',
  ];
  await writeFile(
    file,
    [
      ...[...hooks, 'APT::Architectures'].map((list) => `#clear ${list};`),
      ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
      `APT::Architectures { "${architecture}"; };`,
      '',
    ].join('\n'),
  );
  return file;
}

async function aptRun(command: [string, ...string[]], options: { signal: AbortSignal; cwd: string }): Promise<string> {
  const tooLong = AbortSignal.timeout(patience);
  try {
    return await run(command, { ...options, signal: AbortSignal.any([options.signal, tooLong]) });
  } catch (error) {
    if (tooLong.aborted) {
      throw new BaseImageProblem(`apt did not come to an end within ${patience / 60_000} minutes`, {
        remedy: 'See that "apt-get update" works on this machine, then run the same command again.',
        cause: error,
      });
    }
    if (isMissingProgram(error)) {
      throw new BaseImageProblem('There is no apt-get on this machine', {
        remedy: 'The base image is built on Debian or Ubuntu. Elsewhere, pull public images: KIT_IMAGES=registry.',
        cause: error,
      });
    }
    if (error instanceof CommandFailed) throw aptProblem(error);
    throw error;
  }
}

function aptProblem(error: CommandFailed): Error {
  if (isDiskFull(error)) return error;
  const missing = [...error.said.matchAll(/Unable to locate package (\S+)|Package '?(\S+?)'? has no installation/g)];
  if (missing.length > 0) {
    const names = [...new Set(missing.map(([, located, installable]) => located ?? installable))].join(', ');
    return new BaseImageProblem(`This machine's distribution has no package ${names}`, {
      remedy: `Debian 12 and Ubuntu 24.04 have all that is needed. Name a sources file of one of them with ${sourcesVariable}=<file>.sources, or pull public images: KIT_IMAGES=registry.`,
      cause: error,
    });
  }
  if (/Failed to fetch|Could not resolve|Connection failed|Temporary failure/i.test(error.said)) {
    return new BaseImageProblem(`A package archive did not deliver. ${error.message}`, {
      remedy: 'See that "apt-get update" works on this machine, then run the same command again.',
      cause: error,
    });
  }
  return error;
}

function isMissingProgram(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isMissingProgram(error)) return [];
    throw error;
  }
}

async function readOr(path: string, fallback: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissingProgram(error)) return fallback;
    throw error;
  }
}
