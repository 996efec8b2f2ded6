import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { CheckFailure, ResourceDefinition } from '../../plugin/resource.ts';
import { type DockerConfig, engineOf } from '../config.ts';
import { isConflict, orGone } from '../engine-error.ts';
import { type Comparison, inputDifferences } from '../input-difference.ts';
import { flag, mapPaths, notImplemented, text, textMap, texts, whole } from '../input-schema.ts';
import { withNotes } from '../recorded-inputs.ts';
import { thisUpdate } from '../this-update.ts';
import { type BuildQuery, buildImage } from './build.ts';
import { buildPlace, placeProblem } from './build-context.ts';
import { contextIgnoreFile, readIgnorePatterns } from './dockerignore.ts';
import { findLocalImage, type LocalImage } from './local-image.ts';
import { ensureImage } from './pull.ts';
import { parseImageReference } from './reference.ts';

const needsBuildx = notImplemented('it needs buildx');

const build = z.strictObject({
  context: text.min(1, 'must name a directory'),
  dockerfile: text.default('Dockerfile'),
  buildArgs: textMap.optional(),
  cgroupParent: text.optional(),
  cpuPeriod: whole.optional(),
  cpuQuota: whole.optional(),
  cpuSetCpus: text.optional(),
  cpuSetMems: text.optional(),
  cpuShares: whole.optional(),
  extraHosts: texts.optional(),
  forceRemove: flag.optional(),
  label: textMap.optional(),
  labels: textMap.optional(),
  memory: whole.optional(),
  memorySwap: whole.optional(),
  networkMode: text.optional(),
  noCache: flag.optional(),
  platform: text.optional(),
  pullParent: flag.optional(),
  remove: flag.default(true),
  shmSize: whole.optional(),
  squash: flag.optional(),
  suppressOutput: flag.optional(),
  tags: texts.optional(),
  target: text.optional(),
  ulimits: z.array(z.strictObject({ name: text, soft: whole, hard: whole })).optional(),
  useLegacyBuilder: flag.optional(),
  version: z.enum(['1'], 'can only be "1": the stand-in builds with the classic builder').optional(),
  additionalContexts: needsBuildx,
  authConfigs: notImplemented('pull what the build starts from beforehand'),
  buildId: notImplemented(),
  buildLogFile: needsBuildx,
  builder: needsBuildx,
  cacheFroms: needsBuildx,
  cacheTos: needsBuildx,
  isolation: notImplemented('it is for engines on Windows'),
  provenance: needsBuildx,
  remoteContext: notImplemented('fetch the context, and give its directory'),
  sbom: needsBuildx,
  secrets: needsBuildx,
  securityOpts: notImplemented('it is for engines on Windows'),
  sessionId: needsBuildx,
});

export const remoteImageInputs = z.strictObject({
  name: text.min(1, 'must name an image'),
  build: build.optional(),
  forceRemove: flag.optional(),
  keepLocally: flag.optional(),
  platform: text.optional(),
  pullTriggers: texts.optional(),
  triggers: textMap.optional(),
});
export type RemoteImageInputs = z.output<typeof remoteImageInputs>;
export type RemoteImageOutputs = RemoteImageInputs & { id: string; imageId: string; repoDigest: string };

const inPlaceOfBuild = new Set(['authConfigs', 'label', 'remove', 'secrets', 'tags', 'ulimits']);

export const remoteImageComparison: Comparison = {
  replaceOnChanges: [
    ...['name', 'platform', 'pullTriggers', 'triggers'],
    ...build
      .keyof()
      .options.filter((name) => !inPlaceOfBuild.has(name))
      .map((name) => `build.${name}`),
  ],
  ordered: ['build.extraHosts', 'build.tags', 'build.ulimits'],
  maps: mapPaths(remoteImageInputs),
};

/** `docker:index/remoteImage:RemoteImage`: an image that is pulled when the engine has not got it, or built. */
export const remoteImage: ResourceDefinition<RemoteImageInputs, RemoteImageOutputs, DockerConfig> = {
  token: 'docker:index/remoteImage:RemoteImage',
  inputs: remoteImageInputs,
  replaceOnChanges: ['name', 'platform', 'pullTriggers', 'triggers'],
  stableOutputs: ['id', 'imageId', 'repoDigest'],
  diffsUnknowns: true,
  recorded: (values, given) => withNotes(remoteImageInputs, values, given),
  // What was built before may have lost its context since: it is not built again.
  check: async (inputs, _context, stored) => (isDeepStrictEqual(stored?.build, inputs.build) ? [] : checkBuild(inputs)),
  diff: async (old, news) => inputDifferences(old.inputs, news, remoteImageComparison, withDefaults),
  create: async (inputs, context) => {
    const docker = await engineOf(context);
    if (inputs.build) {
      const { context: directory, dockerfile } = inputs.build;
      const place = buildPlace(directory, dockerfile);
      const patterns = readIgnorePatterns(contextIgnoreFile(place.context));
      await buildImage(docker, inputs.name, place, patterns, buildQuery(inputs.name, inputs.build), context);
    }
    const image = await ensureImage(docker, inputs.name, context, inputs.platform);
    const outputs = remoteImageOutputs(inputs, image);
    thisUpdate(context).madeImages.add(inputs.name);
    return { id: outputs.id, outputs };
  },
  read: async (id, state, context) => {
    const name = state.inputs?.name ?? id.replace(/^sha256:[0-9a-f]{64}/, '');
    const image = await findLocalImage(await engineOf(context), name, context.signal);
    if (!image) return undefined;
    const inputs = state.inputs ?? { name };
    const outputs = remoteImageOutputs(inputs, image);
    return { id: outputs.id, inputs, outputs };
  },
  // What changes in place is about removal and tags: the image itself is read again, as the official plugin does.
  update: async (_id, _old, news, context) =>
    remoteImageOutputs(news, await ensureImage(await engineOf(context), news.name, context, news.platform)),
  delete: async (_id, { name, keepLocally, forceRemove }, context) => {
    if (keepLocally || thisUpdate(context).madeImages.has(name)) return;
    const docker = await engineOf(context);
    try {
      await orGone(docker.getImage(name).remove({ force: forceRemove ?? false, abortSignal: context.signal }));
    } catch (error) {
      if (!isConflict(error)) throw error;
      throw new Error(
        `the image ${name} is in use by a container that this stack does not remove. See which (docker ps -a --filter ancestor=${name}), or set keepLocally`,
        { cause: error },
      );
    }
  },
};

function withDefaults(inputs: object): object {
  const parsed = remoteImageInputs.safeParse(inputs);
  return parsed.success ? parsed.data : inputs;
}

async function checkBuild({ build, pullTriggers }: RemoteImageInputs): Promise<CheckFailure[]> {
  if (!build) return [];
  const problem = await placeProblem(buildPlace(build.context, build.dockerfile));
  return [
    ...(problem ? [{ property: 'build.context', reason: problem }] : []),
    ...(pullTriggers ? [{ property: 'pullTriggers', reason: 'is for images that are pulled, not built' }] : []),
  ];
}

export function buildQuery(name: string, build: NonNullable<RemoteImageInputs['build']>): BuildQuery {
  const given = {
    q: build.suppressOutput,
    nocache: build.noCache,
    forcerm: build.forceRemove,
    pull: build.pullParent ? 'true' : undefined,
    squash: build.squash,
    cpusetcpus: build.cpuSetCpus,
    cpusetmems: build.cpuSetMems,
    cpushares: build.cpuShares,
    cpuquota: build.cpuQuota,
    cpuperiod: build.cpuPeriod,
    memory: build.memory,
    memswap: build.memorySwap,
    cgroupparent: build.cgroupParent,
    networkmode: build.networkMode,
    shmsize: build.shmSize,
    target: build.target,
    platform: build.platform,
    extrahosts: build.extraHosts,
    buildargs: build.buildArgs,
    labels: build.label || build.labels ? { ...build.label, ...build.labels } : undefined,
    ulimits: build.ulimits
      ? JSON.stringify(build.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })))
      : undefined,
  };
  const set = Object.entries(given).flatMap(([key, value]) => (value ? [[key, value] as const] : []));
  return { t: [name, ...(build.tags ?? [])], ...Object.fromEntries(set), rm: build.remove };
}

export function remoteImageOutputs(inputs: RemoteImageInputs, image: LocalImage): RemoteImageOutputs {
  return {
    ...inputs,
    id: `${image.Id}${inputs.name}`,
    imageId: image.Id,
    repoDigest: repoDigest(inputs.name, image.RepoDigests ?? []),
  };
}

/** An image that never was in a registry has none. One that was in several has one of each: that of the name given. */
function repoDigest(name: string, digests: readonly string[]): string {
  const { repository } = parseImageReference(name);
  return digests.find((digest) => digest.startsWith(`${repository}@`)) ?? digests[0] ?? '';
}
