import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { $ } from 'zx';
import { linkOrInstallPackages } from '../../../scripts/releases/program-packages.ts';

const quiet = $({ quiet: true });
let folder: string;
let checkout: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conversation-kit-packages-'));
  checkout = await program('checkout', '1.0.0');
  await npm(checkout, 'ci');
});
afterAll(() => rm(folder, { recursive: true }));

test('packages that are those of the checkout are linked, not installed again', async () => {
  const same = await program('same', '1.0.0');
  await linkOrInstallPackages(same, checkout);
  expect(await readlink(join(same, 'node_modules', 'greeting'))).toBe('../../checkout/node_modules/greeting');
  expect(await greeting(same)).toBe('1.0.0');
});

test('others are installed beside it, and those of the checkout stay as they are', async () => {
  const other = await program('other', '2.0.0');
  await linkOrInstallPackages(other, checkout);
  expect(await greeting(other)).toBe('2.0.0');
  expect(await greeting(checkout)).toBe('1.0.0');
  await linkOrInstallPackages(other, checkout);
  expect(await greeting(other)).toBe('2.0.0');
});

test('what can be had nowhere is said, and comes in with the next try', async () => {
  // With bytes that no cache of npm has ever seen.
  const lost = await program('lost', `3.0.0-${randomUUID()}`);
  const archive = join(lost, 'greeting.tgz');
  const kept = await readFile(archive);
  await rm(archive);
  await expect(linkOrInstallPackages(lost, checkout)).rejects.toThrow(
    /could not be installed .*lost\/package-lock\.json/,
  );
  await writeFile(archive, kept);
  await linkOrInstallPackages(lost, checkout);
  expect(await greeting(lost)).toMatch(/^3\.0\.0-/);
});

/** A folder with a lock file that names one package, which lies beside it. Nothing of it is installed. */
async function program(name: string, version: string): Promise<string> {
  const directory = join(folder, name);
  const greeting = join(directory, 'package');
  await mkdir(greeting, { recursive: true });
  await writeFile(join(greeting, 'package.json'), JSON.stringify({ name: 'greeting', version }));
  // The same bytes whenever it is made: its digest goes into the lock file.
  await quiet`tar -c --mtime=@0 -I ${'gzip -n'} -f ${join(directory, 'greeting.tgz')} -C ${directory} package`;
  await writeFile(
    join(directory, 'package.json'),
    JSON.stringify({ name: 'program', dependencies: { greeting: 'file:greeting.tgz' } }),
  );
  await npm(directory, 'install', '--package-lock-only');
  return directory;
}

/** npm with a cache that is nobody else's. */
async function npm(directory: string, ...args: string[]): Promise<void> {
  const cache = join(folder, 'cache');
  await $({ cwd: directory, quiet: true, env: { ...process.env, npm_config_cache: cache } })`npm ${args} --no-audit`;
}

async function greeting(directory: string): Promise<string> {
  const text = await readFile(join(directory, 'node_modules', 'greeting', 'package.json'), 'utf8');
  return JSON.parse(text).version;
}
