import { z } from 'zod';
import { $ } from 'zx';
import { stackFileValue } from '../setup/stack-file.mjs';
import type { BundledImage } from './manifest.ts';

const laidOut = z.object({
  source: z.enum(['registry', 'local']),
  images: z.array(z.object({ role: z.string(), reference: z.string(), context: z.string(), base: z.string() })),
});
/** The images of a stack: what each is called, the build context (relative to the project), what it starts from. */
export type StackImages = z.output<typeof laidOut>;

/** Lays out the build contexts of the program's images, as an update of the stack would. */
export async function layOutImages(root: string, stack: string, signal: AbortSignal): Promise<StackImages> {
  const config = imageConfig((key) => stackFileValue(root, stack, key), stack, process.env.KIT_IMAGES);
  const program = $({ cwd: root, quiet: true, nothrow: true, signal });
  const run = await program`node infra/docker/lay-out-images.ts ${JSON.stringify({ stack, config })}`;
  signal.throwIfAborted();
  if (run.exitCode !== 0) throw new Error(`The images of stack ${stack} can't be prepared:\n${run.stderr.trim()}`);
  return laidOut.parse(JSON.parse(run.stdout));
}

/**
 * What a stack's configuration says about its images. Where that of `local` does not say where they come from, the first
 * `up` decides by what set-up has found (scripts/up.ts).
 */
export function imageConfig(
  value: (key: string) => string | undefined,
  stack: string,
  found: string | undefined,
): Record<string, string> {
  const config = Object.fromEntries(
    ['profile', 'images', 'supabase', 'redisCommander'].flatMap((key) => {
      const text = value(key);
      return text === undefined ? [] : [[key, text]];
    }),
  );
  return stack === 'local' && found ? { images: found, ...config } : config;
}

/** Builds those images that the engine has not got; what they start from is pulled where a registry has it. */
export async function ensureImages(
  root: string,
  { source, images }: StackImages,
  { signal, say }: { signal: AbortSignal; say(line: string): void },
): Promise<void> {
  // Not with BuildKit, which has no use for an image as a base that only this engine has.
  const env = { ...process.env, DOCKER_BUILDKIT: '0' };
  const docker = async (what: string, args: readonly string[]) => {
    say(what);
    const run = await $({ cwd: root, quiet: true, nothrow: true, signal, env })`docker ${args}`;
    signal.throwIfAborted();
    if (run.exitCode !== 0) throw new Error(`${what} failed:\n${run.stderr.trim()}`);
  };
  for (const { reference, context, base } of images) {
    if (source === 'registry' && !(await imageId(base, signal))) {
      await docker(`pulling ${base}`, ['pull', '--quiet', base]);
    }
    if (await imageId(reference, signal)) continue;
    const build = ['build', '--quiet', '--tag', reference, '--build-arg', `BASE=${base}`, context];
    await docker(`building ${reference}`, build);
  }
}

/** The images with what they start from, each with its id. */
export async function bundledImages({ images }: StackImages, signal: AbortSignal): Promise<BundledImage[]> {
  const references = [...new Set(images.flatMap(({ reference, base }) => [base, reference]))].sort();
  return Promise.all(
    references.map(async (reference) => {
      const id = await imageId(reference, signal);
      if (id === undefined)
        throw new Error(`the engine has no image ${reference} any more: run the same command again`);
      return { reference, id };
    }),
  );
}

/** What the engine that holds the images is made for, as Docker calls it: amd64, arm64. */
export async function engineArchitecture(signal: AbortSignal): Promise<string> {
  return (await $({ quiet: true, signal })`docker version --format {{.Server.Arch}}`).stdout.trim();
}

async function imageId(reference: string, signal: AbortSignal): Promise<string | undefined> {
  const found = await $({ quiet: true, nothrow: true, signal })`docker image inspect --format {{.Id}} ${reference}`;
  signal.throwIfAborted();
  return found.exitCode === 0 ? found.stdout.trim() : undefined;
}
