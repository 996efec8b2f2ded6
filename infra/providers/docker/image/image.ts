import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join, posix } from 'node:path';
import type Docker from 'dockerode';
import { z } from 'zod';
import { isObject, isUnknown } from '../../plugin/property-values.ts';
import type { CheckFailure, GivenInputs, ResourceDefinition } from '../../plugin/resource.ts';
import { type DockerConfig, type DockerContext, engineOf } from '../config.ts';
import { type Comparison, inputDifferences } from '../input-difference.ts';
import { flag, mapPaths, text, textMap, texts } from '../input-schema.ts';
import { type BuildQuery, buildImage } from './build.ts';
import { buildPlace } from './build-context.ts';
import { contextDigest, imageIgnorePatterns } from './context-digest.ts';
import { findLocalImage } from './local-image.ts';
import { ensureImage } from './pull.ts';
import { pushImage } from './push.ts';
import { fullRepository, parseImageReference } from './reference.ts';

const build = z.strictObject({
  context: text,
  dockerfile: text,
  platform: text,
  contextDigest: text.optional(),
  addHosts: texts.optional(),
  args: textMap.optional(),
  builderVersion: z
    .enum(['BuilderV1'], "can only be BuilderV1: the kit's stand-in for the docker plugin has no BuildKit client")
    .optional(),
  cacheFrom: z.strictObject({ images: texts.optional() }).optional(),
  network: text.optional(),
  target: text.optional(),
});

const imageInputs = z.strictObject({
  imageName: text.min(1, 'must not be empty'),
  build,
  buildOnPreview: flag,
  skipPush: flag.optional(),
  registry: z
    .strictObject({ server: text.optional(), username: text.optional(), password: text.optional() })
    .optional(),
});
export type ImageInputs = z.output<typeof imageInputs>;
export interface ImageOutputs {
  readonly imageName: string;
  readonly baseImageName?: string;
  readonly registryServer?: string;
  readonly dockerfile?: string;
  readonly context?: string;
  readonly platform?: string;
  readonly repoDigest?: string;
  /** The official plugin compares with these, not with the inputs that the engine keeps. */
  readonly __inputs?: ImageInputs;
}

const comparison: Comparison = {
  replaceOnChanges: [],
  ordered: ['build.addHosts', 'build.cacheFrom.images'],
  maps: mapPaths(imageInputs),
};

/**
 * `docker:index/image:Image`: built from a directory, and pushed unless `skipPush` is set. Built anew when what it is
 * built from changes; never read back, and not removed from the engine, as the official plugin has it.
 */
export const image: ResourceDefinition<ImageInputs, ImageOutputs, DockerConfig> = {
  token: 'docker:index/image:Image',
  inputs: imageInputs,
  replaceOnChanges: [],
  secretOutputs: ['__inputs'],
  runsAtPreview: true,
  diffsUnknowns: true,
  defaults: withBuildDefaults,
  check: async (inputs) => checkImage(inputs),
  diff: async (old, news) => {
    const found = inputDifferences(old.inputs, news, comparison);
    return found.filter(({ path }) => !path.startsWith('registry.') || path === 'registry.server');
  },
  create: async (inputs, context) => ({ id: inputs.imageName, outputs: await made(inputs, context) }),
  read: async (id, { inputs, outputs }) => {
    if (!inputs || !outputs)
      throw new Error('a docker:index/image:Image can not be imported: it is built by its stack only');
    return { id, inputs, outputs };
  },
  update: async (_id, _old, news, context) => made(news, context),
  delete: async () => undefined,
};

/** As the official plugin fills them in, with the digest of the context: relative paths are the project's. */
async function withBuildDefaults(given: GivenInputs): Promise<GivenInputs> {
  const buildOnPreview = given.buildOnPreview ?? false;
  if (isUnknown(given.build) || (given.build !== undefined && !isObject(given.build)))
    return { ...given, buildOnPreview };
  const context = given.build?.context ?? '.';
  const dockerfile =
    given.build?.dockerfile ?? (typeof context === 'string' ? posix.join(context, 'Dockerfile') : context);
  const known =
    typeof context === 'string' && typeof dockerfile === 'string' && problemOf(context, dockerfile) === undefined;
  return {
    ...given,
    buildOnPreview,
    build: {
      ...given.build,
      context,
      dockerfile,
      platform: given.build?.platform ?? `linux/${goArchitecture(process.arch)}`,
      ...(known ? { contextDigest: await contextDigest(context, dockerfile) } : {}),
    },
  };
}

const goArchitecture = (architecture: string): string =>
  new Map([
    ['x64', 'amd64'],
    ['ia32', '386'],
  ]).get(architecture) ?? architecture;

function problemOf(context: string, dockerfile: string): CheckFailure | undefined {
  if (!existsSync(context) || !statSync(context).isDirectory())
    return { property: 'build.context', reason: `there is no directory ${context}` };
  if (existsSync(dockerfile)) return undefined;
  const inContext = join(context, dockerfile);
  const hint = !isAbsolute(dockerfile) && existsSync(inContext) ? `; did you mean ${inContext}?` : '';
  return { property: 'build.dockerfile', reason: `there is no file ${dockerfile} (seen from the project)${hint}` };
}

function checkImage({ imageName, build, skipPush }: ImageInputs): CheckFailure[] {
  const problem = problemOf(build.context, build.dockerfile);
  const { registry, repository } = parseImageReference(imageName);
  const isFull = registry !== 'docker.io' || repository.startsWith('docker.io/');
  const needsRegistry = skipPush !== true || (build.cacheFrom?.images ?? []).length > 0;
  return [
    ...(problem ? [problem] : []),
    ...(needsRegistry && !isFull
      ? [
          {
            property: 'imageName',
            reason: `${imageName} can't be pushed: begin it with its registry (docker.io/${imageName}), or set skipPush`,
          },
        ]
      : []),
  ];
}

async function made(inputs: ImageInputs, context: DockerContext): Promise<ImageOutputs> {
  if (context.preview && !inputs.buildOnPreview) return { imageName: inputs.imageName };
  const docker = await engineOf(context);
  const { imageName, build, registry } = inputs;
  const place = buildPlace(build.context, build.dockerfile, '.');
  await pullCaches(docker, build.cacheFrom?.images ?? [], context);
  await buildImage(
    docker,
    imageName,
    place,
    imageIgnorePatterns(build.context, build.dockerfile),
    query(inputs),
    context,
  );
  const outputs: ImageOutputs = {
    imageName,
    baseImageName: imageName,
    registryServer: registry?.server ?? '',
    dockerfile: place.dockerfileInContext,
    context: build.context,
    platform: build.platform,
    __inputs: inputs,
  };
  if (inputs.skipPush || context.preview) return { ...outputs, repoDigest: await imageId(docker, imageName, context) };
  const pushed = await pushImage(docker, imageName, registry ?? {}, context);
  const digest = pushed.slice(pushed.indexOf('@'));
  return { ...outputs, repoDigest: `${fullRepository(parseImageReference(imageName))}${digest}` };
}

function query({ imageName, build }: ImageInputs): BuildQuery {
  return {
    t: imageName,
    platform: build.platform,
    ...(build.args ? { buildargs: build.args } : {}),
    ...(build.target ? { target: build.target } : {}),
    ...(build.network ? { networkmode: build.network } : {}),
    ...(build.addHosts ? { extrahosts: build.addHosts } : {}),
    ...(build.cacheFrom?.images ? { cachefrom: build.cacheFrom.images } : {}),
    rm: true,
  };
}

async function imageId(docker: Docker, name: string, { signal }: DockerContext): Promise<string> {
  const found = await findLocalImage(docker, name, signal);
  if (!found) throw new Error(`the engine built ${name}, but does not know it by that name`);
  return found.Id;
}

/** Only to build faster: an image that can't be had is none to start from. */
async function pullCaches(docker: Docker, images: readonly string[], context: DockerContext): Promise<void> {
  for (const name of images)
    await ensureImage(docker, name, context).catch((error: unknown) => {
      if (context.signal.aborted) throw error;
      context.warn(`building without the cache of ${name}: ${error instanceof Error ? error.message : String(error)}`);
    });
}
