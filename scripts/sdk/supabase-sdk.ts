import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { $ as shell } from 'zx';
import { type ContentLock, deviations, digest, digestsOf, lockName, readLock } from './content-lock.ts';
import { reference } from './reference.ts';

const root = dirname(dirname(import.meta.dirname));
const sdk = join(root, 'sdks', 'supabase');
const documentation = join(root, 'docs', 'providers', 'supabase.md');
const generator = join('toolchain', 'sdk-generator');

const $ = shell({ cwd: root, quiet: true });

/**
 * Generates `sdks/supabase`, the package `@pulumi/supabase`, from the provider's schema: sources by Pulumi's own generator (a
 * Go program), compiled here, so that who installs the package needs neither Go nor a build; and its reference, `docs/providers/supabase.md`. Returns
 * the names of the package's files.
 */
export async function generateSdk(): Promise<string[]> {
  const schema = await providerSchema();
  mkdirSync(join(root, '.kit'), { recursive: true });
  const scratch = mkdtempSync(join(root, '.kit', 'sdk-')); // in the project, where the compiler finds its packages
  const sources = join(scratch, 'sources');
  const compiled = join(scratch, 'compiled');
  try {
    const go = shell({
      cwd: join(root, generator),
      quiet: true,
      input: schema,
      env: { ...process.env, GOWORK: 'off' },
    });
    await go`go run . ${sources}`;
    // The sources are not shipped, so there is nothing for maps to point at.
    await $`node ${join(root, 'node_modules', 'typescript', 'bin', 'tsc')} -p ${sources} --outDir ${compiled} --sourceMap false --declarationMap false`;
    writeFileSync(join(compiled, 'package.json'), manifest(readFileSync(join(sources, 'package.json'), 'utf8')));
    writeFileSync(join(compiled, '.gitattributes'), '* linguist-generated text eol=lf\n');
    writeFileSync(join(compiled, 'schema.json'), schema);
    const lock: ContentLock = { sources: await sourceDigests(), files: digestsOf(compiled) };
    writeFileSync(join(compiled, lockName), `${JSON.stringify(lock, null, 2)}\n`);
    mkdirSync(dirname(sdk), { recursive: true });
    rmSync(sdk, { recursive: true, force: true });
    renameSync(compiled, sdk);
    mkdirSync(dirname(documentation), { recursive: true });
    writeFileSync(documentation, reference(schema));
    return Object.keys(lock.files);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What is out of step between the provider, the generator, the committed SDK and its reference; empty when nothing is. */
export async function checkSdk(): Promise<string[]> {
  const { sources, files } = readLock(sdk);
  const isDocumented = readFileSync(documentation, 'utf8') === reference(await providerSchema());
  return [
    ...deviations(sources, await sourceDigests()),
    ...deviations(files, digestsOf(sdk)),
    ...(isDocumented ? [] : ['docs/providers/supabase.md was changed']),
  ];
}

const providerSchema = async () => (await $`node infra/providers/supabase/schema/print.ts`).stdout;

async function sourceDigests(): Promise<Record<string, string>> {
  const files = ['main.go', 'go.mod'].map((name) => join(generator, name));
  return {
    "the provider's schema": digest(await providerSchema()),
    ...Object.fromEntries(files.map((name) => [name, digest(readFileSync(join(root, name)))])),
  };
}

const generatedManifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string(),
  dependencies: z.record(z.string(), z.string()),
  pulumi: z.object({ resource: z.literal(true), name: z.string(), version: z.string() }),
});

/** The generated package.json is that of a package to be built; this one is built. */
function manifest(text: string): string {
  const { name, version, license, dependencies, pulumi } = generatedManifest.parse(JSON.parse(text));
  const built = { name, version, private: true, license, main: 'index.js', types: 'index.d.ts', dependencies, pulumi };
  return `${JSON.stringify(built, null, 2)}\n`;
}
