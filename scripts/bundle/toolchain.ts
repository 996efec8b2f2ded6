import { readdirSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kit } from '../setup/kit.mjs';
import { toolchainNode } from '../setup/steps/node.mjs';
import { toolchainPulumi } from '../setup/steps/pulumi-cli.mjs';

/** What goes into `.kit/bin`: links into `.kit/toolchain`, relative, as set-up makes them. */
export function toolLinks(kit: Kit): Record<string, string> {
  const node = toolchainNode(kit);
  const pulumi = toolchainPulumi(kit);
  if (pulumi === undefined) throw new Error('there is no Pulumi in .kit/toolchain: run the same command again');
  return {
    node: join('..', 'toolchain', node.folder, node.program),
    npm: join('..', 'toolchain', node.folder, node.npm),
    pulumi: join('..', 'toolchain', pulumi, 'pulumi'),
    'pulumi-language-nodejs': join('..', 'toolchain', pulumi, 'pulumi-language-nodejs'),
  };
}

/** Makes the small files of `.kit` that a box needs and that this machine may have otherwise. */
export async function layOutKit(kit: Kit, folder: string, imageSource: string): Promise<void> {
  const bin = join(folder, '.kit', 'bin');
  await mkdir(bin, { recursive: true });
  for (const [name, target] of Object.entries(toolLinks(kit))) await symlink(target, join(bin, name));
  await writeFile(join(folder, '.kit', 'image-source'), `${imageSource}\n`);
}

/** Everything else in Pulumi's home is about this machine: logs, workspaces, whom it is logged in as. */
export function pluginFolders(kit: Kit): string[] {
  const plugins = join(kit.pulumiHome, 'plugins');
  return readdirSync(plugins, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join('.kit', 'pulumi-home', 'plugins', name))
    .sort();
}

/** What tools leave in `node_modules` while they work. */
export function cachesIn(nodeModules: string): string[] {
  return readdirSync(nodeModules)
    .filter((name) => name.startsWith('.') && !['.bin', '.package-lock.json'].includes(name))
    .map((name) => join('node_modules', name))
    .sort();
}
