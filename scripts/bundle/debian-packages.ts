import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { $ } from 'zx';
import { downloadPackages } from '../../images/base/packages.ts';
import { distribution } from '../setup/apt.mjs';
import type { Manifest } from './manifest.ts';

/** What set-up installs where no Docker engine answers (scripts/setup/steps/docker-engine.mjs); rollbacks need git. */
const wanted = { packages: ['docker.io', 'iptables', 'git'], without: [] };

/**
 * Downloads the Docker engine of this machine's distribution with everything that it needs, down to the C library, and
 * makes an archive of it that apt can install from: what a box has already is left alone there. Undefined where this
 * machine has no apt.
 *
 * @param folder  gets the packages, in `.kit/bundle/packages`
 */
export async function layOutPackages(
  folder: string,
  { signal, say }: { signal: AbortSignal; say(line: string): void },
): Promise<Manifest['packages']> {
  if (!existsSync('/etc/debian_version')) return undefined;
  const workspace = join(folder, 'download');
  await mkdir(workspace);
  const downloaded = await downloadPackages(workspace, wanted, { signal, say });
  const archive = join(folder, '.kit', 'bundle', 'packages');
  await mkdir(archive, { recursive: true });
  const stanzas: string[] = [];
  for (const { file } of downloaded.toSorted((left, right) => (left.file < right.file ? -1 : 1))) {
    const name = basename(file).replaceAll('%', '-'); // apt would take %3a in a path for a colon
    const fields = (await $({ quiet: true, signal })`dpkg-deb --field ${file}`).stdout;
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    stanzas.push(packageStanza(fields, { name, bytes: statSync(file).size, sha256 }));
    await rename(file, join(archive, name));
  }
  await writeFile(join(archive, 'Packages'), stanzas.join('\n'));
  return {
    distribution: distribution(readFileSync('/etc/os-release', 'utf8')),
    files: downloaded.map(({ name, version }) => `${name} ${version}`).sort(),
  };
}

/** What apt has to know about a package: the package's own fields, and where its file is. */
export function packageStanza(fields: string, file: { name: string; bytes: number; sha256: string }): string {
  return `${fields.trimEnd()}\nFilename: ./${file.name}\nSize: ${file.bytes}\nSHA256: ${file.sha256}\n`;
}
